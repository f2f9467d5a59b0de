"""What monitors are pointed at: a server that answers every check at once and counts them."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


@dataclass
class Target:
    """A server that answers every check with 200 and counts them."""

    seen: Counter[str] = field(default_factory=Counter)

    @asynccontextmanager
    async def serving(self, host: str) -> AsyncIterator[str]:
        """Serve on this address; give its URL."""
        server = await asyncio.start_server(self._answer, host, 0)
        async with server:
            yield f"http://{host}:{server.sockets[0].getsockname()[1]}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (line := await reader.readline()).strip():
                while (await reader.readline()).strip():
                    pass
                self.seen[line.split()[1].decode()] += 1
                writer.write(ANSWER)
                await writer.drain()
        except (ConnectionError, IndexError):
            pass
        finally:
            writer.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
