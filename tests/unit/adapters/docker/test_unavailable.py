import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from berthmaster.adapters.docker import AiodockerRuntime
from berthmaster.domain.errors import RuntimeUnavailable


@pytest.mark.parametrize("verb", ["version", "containers", "container", "start", "networks"])
async def test_an_engine_that_is_not_there_is_unavailable(tmp_path: Path, verb: str) -> None:
    runtime = AiodockerRuntime(f"unix://{tmp_path / 'no.sock'}")
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "version": runtime.version,
        "containers": lambda: runtime.containers({}),
        "container": lambda: runtime.container("web"),
        "start": lambda: runtime.start("web"),
        "networks": runtime.networks,
    }
    with pytest.raises(RuntimeUnavailable) as raised:
        await calls[verb]()
    assert raised.value.retryable
    await runtime.close()


async def test_an_engine_that_hangs_up_is_unavailable(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    path = tmp_path / "engine.sock"
    server = await asyncio.start_unix_server(hang_up, path)
    runtime = AiodockerRuntime(f"unix://{path}")
    async with server:
        with pytest.raises(RuntimeUnavailable):
            await runtime.containers({})
        with pytest.raises(RuntimeUnavailable):
            await runtime.container("web")
    await runtime.close()
