"""An archive that breaks off, and an engine that takes it and then says no."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from berthmaster.adapters.docker.data import DockerData
from berthmaster.domain.errors import OutsideError

VERSION = b'{"Version": "20.10.24", "ApiVersion": "1.41", "Arch": "amd64"}'
FULL = b'{"errorDetail": {"message": "no space left on device"}, "error": "no space left"}\r\n'


async def _engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    body = VERSION
    if b"/version" not in head:
        while data := await reader.read(65536):
            if data.endswith(b"0\r\n\r\n"):
                break
        body = FULL
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
    writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    writer.close()


async def _nobody() -> tuple[str, ...]:
    return ()


@pytest.fixture
async def data(tmp_path: Path) -> AsyncIterator[DockerData]:
    path = tmp_path / "engine.sock"
    async with await asyncio.start_unix_server(_engine, path):
        yield DockerData(f"unix://{path}", _nobody)


async def test_what_broke_off_is_told_by_whoever_sent_it(data: DockerData) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise OutsideError("reading in /srv/b failed: pack is damaged", subject="backup target")

    with pytest.raises(OutsideError, match="pack is damaged") as raised:
        await data.load_image(broken())
    assert raised.value.subject == "backup target"


async def test_an_engine_that_does_not_keep_it_has_not_loaded_it(data: DockerData) -> None:
    async def whole() -> AsyncIterator[bytes]:
        yield b"all of it"

    with pytest.raises(OutsideError, match="no space left on device"):
        await data.load_image(whole())
