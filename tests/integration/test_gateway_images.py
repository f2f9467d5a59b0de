"""The gateway from images that are made as the public ones are: a user and an entrypoint of theirs.

The public images themselves are not pulled: tests run where no registry can be reached.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from tests.gateway import HOST, STACK, gateway, upstream

from berthmaster.adapters.gateway.images import EDGE_IMAGES, ROUTER_IMAGES

pytestmark = pytest.mark.docker


@pytest.fixture
async def images() -> AsyncIterator[tuple[str, str]]:
    """This repository's images with what the public ones bring along."""
    tag = uuid.uuid4().hex[:8]
    names = (f"berthtest-router:{tag}", f"berthtest-edge:{tag}")
    for source, name in zip((ROUTER_IMAGES[0], EDGE_IMAGES[0]), names, strict=True):
        made = await docker("create", "--label", "berthmaster.test=gateway-images", source)
        await docker(
            *("commit", "--change", "USER 99", "--change", 'ENTRYPOINT ["/bin/false"]'),
            *("--change", "WORKDIR /var/lib/haproxy", made, name),
        )
        await docker("rm", made)
    try:
        yield names
    finally:
        await docker("rmi", *names)


async def docker(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "docker", *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, arguments
    return output.decode().strip()


async def test_an_image_with_its_own_user_and_entrypoint_serves_all_the_same(
    images: tuple[str, str],
) -> None:
    async with gateway(images=images) as made, upstream("app") as app:
        await made.claim(HOST)
        await made.router.switch(STACK, await made.publish(1, app.address), fence=1)
        status = await made.router.status()
        assert (status.is_router_up, status.is_edge_up) == (True, True)
        assert (await made.processes.up(made.entrypoints)) is False
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port("plain"))
        writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        assert (await reader.read()).endswith(b"app /")
        writer.close()
