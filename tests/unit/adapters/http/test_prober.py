import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from berthmaster.adapters.http import AiohttpProber
from berthmaster.adapters.http.prober import READ_BYTES
from berthmaster.domain.probing import Probe

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _serving(serve: Serve) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


def _answering(answer: bytes, heard: list[bytes] | None = None) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(request)
        writer.write(answer)
        writer.close()

    return serve


def _probe(port: int, **more: object) -> Probe:
    values = {"path": "/ready/?x=%2F", "host": "shop.test", "timeout_seconds": 20.0, **more}
    return Probe("127.0.0.1", port, **values)  # type: ignore[arg-type]


async def test_it_asks_as_the_public_would() -> None:
    heard: list[bytes] = []
    answer = b"HTTP/1.1 200 OK\r\nX-Berth-Release: shop-prod/r7\r\nContent-Length: 0\r\n\r\n"
    async with _serving(_answering(answer, heard)) as port:
        probe = _probe(port, marks_release=True, forwarded_proto="https")
        result = await AiohttpProber().probe(probe)
    lines = heard[0].decode().split("\r\n")
    assert lines[0] == "GET /ready/?x=%2F HTTP/1.1"
    assert {"Host: shop.test", "X-Berth-Probe: 1", "X-Forwarded-Proto: https"} <= set(lines)
    assert (result.is_good, result.release) == (True, "shop-prod/r7")


async def test_without_a_wish_no_header_of_ours_is_sent() -> None:
    heard: list[bytes] = []
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    async with _serving(_answering(answer, heard)) as port:
        await AiohttpProber().probe(_probe(port))
    assert b"X-Berth" not in heard[0]
    assert b"X-Forwarded" not in heard[0]


async def test_each_probe_has_a_connection_of_its_own() -> None:
    peers: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peername")[1])
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with _serving(serve) as port:
        prober = AiohttpProber()
        for _ in range(3):
            assert (await prober.probe(_probe(port))).is_good
    assert len(set(peers)) == 3


async def test_silence_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        result = await AiohttpProber().probe(_probe(port, timeout_seconds=0.1))
    assert result.status is None
    assert "no answer within 0.1 s" in result.error
    assert not result.refused


async def test_what_is_said_instead_of_http_is_told_in_one_line() -> None:
    async with _serving(_answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")) as port:
        result = await AiohttpProber().probe(_probe(port))
    wanted = f"127.0.0.1:{port} did not answer HTTP: it began with 'SSH-2.0-OpenSSH_9.2'"
    assert result.error == wanted


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 2", b"not http at all\r\n\r\n"])
async def test_an_answer_that_is_none_is_said_not_raised(answer: bytes) -> None:
    async with _serving(_answering(answer)) as port:
        result = await AiohttpProber().probe(_probe(port))
    assert (result.status, result.is_good, result.refused) == (None, False, False)
    assert str(port) in result.error


async def test_an_endless_answer_is_read_to_its_limit_only() -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while not writer.is_closing() and sent < 64 * READ_BYTES:
            writer.write(b"x" * 4096)
            sent += 4096
            await writer.drain()

    async with _serving(serve) as port:
        result = await AiohttpProber().probe(_probe(port, contains="y"))
    assert (result.status, result.is_good) == (200, False)
    assert sent < 64 * READ_BYTES
