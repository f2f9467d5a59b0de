"""Whether edge and ask responder answer on their sockets, and which version the edge is."""

import asyncio
from pathlib import Path
from typing import Final

from berthmaster.adapters.haproxy.layout import Layout

_TIMEOUT_SECONDS: Final = 3.0


def edge_version(layout: Layout) -> str | None:
    """The version that was noted when the container was made; None when nothing was."""
    try:
        return layout.edge_version.read_text().strip() or None
    except OSError:
        return None


async def edge_answers(layout: Layout) -> bool:
    """Whether the edge gives any HTTP answer; never raises."""
    return await _answers(layout.sites_socket, b"/-/up")


async def ask_answers(layout: Layout) -> bool:
    """Whether the ask responder does; never raises."""
    return await _answers(layout.ask_socket, b"/state")


async def _answers(socket: Path, path: bytes) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                request = b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                writer.write(request % path)
                await writer.drain()
                return (await reader.readline()).startswith(b"HTTP/1.1 ")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
