"""An engine that is restarted in the middle of an answer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from berthmaster.adapters.docker import AiodockerRuntime
from berthmaster.domain.errors import RuntimeUnavailable

VERSION = b'{"Version": "20.10.24", "ApiVersion": "1.41", "Arch": "amd64"}'


async def _cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    body, length = (VERSION, len(VERSION)) if b"/version" in head else (b'{"Id": "a', 5000)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
    writer.write(f"Content-Length: {length}\r\n\r\n".encode() + body)
    await writer.drain()
    writer.close()


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[AiodockerRuntime]:
    path = tmp_path / "engine.sock"
    async with await asyncio.start_unix_server(_cut, path):
        made = AiodockerRuntime(f"unix://{path}")
        yield made
        await made.close()


async def test_a_container_whose_description_is_cut_is_no_bug(runtime: AiodockerRuntime) -> None:
    with pytest.raises(RuntimeUnavailable):
        await runtime.container("web")


async def test_a_list_that_is_cut_is_no_bug(runtime: AiodockerRuntime) -> None:
    with pytest.raises(RuntimeUnavailable):
        await runtime.containers({})
