"""Whether the edge answers, asked on the socket of its sites, and which version it is."""

import asyncio
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
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(layout.sites_socket))
            try:
                writer.write(b"GET /-/up HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                await writer.drain()
                return (await reader.readline()).startswith(b"HTTP/1.1 ")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
