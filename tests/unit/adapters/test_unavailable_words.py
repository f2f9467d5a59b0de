"""What is said of a part that does not run: in words, without Python's or a library's."""

from pathlib import Path

import pytest

from berthmaster.adapters.docker import AiodockerRuntime
from berthmaster.adapters.docker.quick import list_containers
from berthmaster.adapters.gateway.docker import DockerGateway
from berthmaster.adapters.haproxy import HaproxyRouter
from berthmaster.domain.errors import BerthmasterError


async def said(work: object) -> BerthmasterError:
    with pytest.raises(BerthmasterError) as raised:
        await work  # type: ignore[misc]
    return raised.value


async def test_an_engine_that_is_not_there_is_named_by_its_socket(tmp_path: Path) -> None:
    import aiodocker

    url = f"unix://{tmp_path}/no.sock"
    runtime = AiodockerRuntime(url)
    gateway = DockerGateway(tmp_path, docker=lambda: aiodocker.Docker(url=url))
    for work in (runtime.containers({}), gateway.down(), list_containers(url, {})):
        error = await said(work)
        expected = f"the Docker Engine does not answer at {tmp_path}/no.sock: "
        assert error.message == f"{expected}No such file or directory"
        assert (error.next_command, error.exit_code) == ("docker info", 3)
    await runtime.close()


async def test_a_router_that_does_not_run_is_said_not_to(tmp_path: Path) -> None:
    error = await said(HaproxyRouter(tmp_path).table())
    assert error.message == "the router does not run: nobody answers at its socket"
