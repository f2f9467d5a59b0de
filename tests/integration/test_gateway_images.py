"""The gateway from images that are made as the public ones are: a user and an entrypoint of theirs.

The public images themselves are not pulled: tests run where no registry can be reached.
"""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from bench.load import Load, running
from tests.gateway import HOST, STACK, gateway, upstream

from berthmaster.adapters.gateway.images import EDGE_IMAGES, ROUTER_IMAGES
from berthmaster.domain.errors import OutsideError

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


async def test_a_new_image_of_the_router_takes_over_and_no_new_connection_is_lost(
    images: tuple[str, str],
) -> None:
    async with gateway() as made, upstream("app") as app:
        await made.claim(HOST)
        await made.router.switch(STACK, await made.publish(1, app.address), fence=1)
        newer = made.with_images(images[0], None)
        (said,) = await newer.plan(made.entrypoints)
        assert said.startswith(f"router: replace what runs by {images[0]}, beside it"), said
        plain = Load("127.0.0.1", made.port("plain"), HOST, clients=8, rate=300, seconds=60.0)
        fresh = replace(plain, keeps_alive=False)
        async with running(plain) as kept, running(fresh) as tally:
            (done,) = await newer.up(made.entrypoints)
            assert "no port was closed" in done
            await asyncio.sleep(0.5)  # what the new one answers is asked for, too
        print(f"router handed over: {kept.summary()}; new connections: {tally.summary()}")
        # A connection kept open is closed as by a reload: a request may just be on its way.
        assert (tally.lost, kept.lost <= plain.clients) == (0, True)
        assert (await made.router.status()).differences == ()
        assert await newer.plan(made.entrypoints) == ()
        names = await docker("ps", "--all", "--format", "{{.Names}}")
        assert f"{made.prefix}router-old" not in names


async def test_a_router_image_that_does_not_start_leaves_the_old_one_serving(
    images: tuple[str, str],
) -> None:
    async with gateway() as made, upstream("app") as app:
        await made.claim(HOST)
        await made.router.switch(STACK, await made.publish(1, app.address), fence=1)
        with pytest.raises(OutsideError):
            await made.with_images(EDGE_IMAGES[0], None).up(made.entrypoints)
        assert (await made.router.status()).is_router_up
        assert await made.processes.up(made.entrypoints) == ()


async def test_a_new_image_of_the_edge_says_how_long_it_was_away(images: tuple[str, str]) -> None:
    async with gateway() as made:
        newer = made.with_images(None, images[1])
        (said,) = await newer.plan(made.entrypoints)
        assert "new connections are refused" in said
        (done,) = await newer.up(made.entrypoints)
        print(done)
        assert re.search(r"it was away for \d+\.\d s", done)
        assert (await made.router.status()).is_edge_up


async def test_an_image_with_its_own_user_and_entrypoint_serves_all_the_same(
    images: tuple[str, str],
) -> None:
    async with gateway(images=images) as made, upstream("app") as app:
        await made.claim(HOST)
        await made.router.switch(STACK, await made.publish(1, app.address), fence=1)
        status = await made.router.status()
        assert (status.is_router_up, status.is_edge_up) == (True, True)
        assert (await made.processes.up(made.entrypoints)) == ()
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port("plain"))
        writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        assert (await reader.read()).endswith(b"app /")
        writer.close()
