"""What monitors are pointed at: a server that answers every check at once and counts them."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


@dataclass
class Target:
    """A server that answers every check with 200, counts them and sees how long each waited."""

    seen: Counter[str] = field(default_factory=Counter)
    longest_pause_seconds: float = 0.0  # between two checks of one path
    _last: dict[str, float] = field(default_factory=dict)

    async def count(self, seconds: float) -> float:
        """Count anew; return the checks a minute. Pauses that have begun go on."""
        self.seen.clear()
        self.longest_pause_seconds = 0.0
        await asyncio.sleep(seconds)
        return sum(self.seen.values()) * 60 / seconds

    def note(self, path: str) -> None:
        """Count a check."""
        now = time.monotonic()
        self.longest_pause_seconds = max(
            self.longest_pause_seconds, now - self._last.get(path, now)
        )
        self._last[path] = now
        self.seen[path] += 1

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
                self.note(line.split()[1].decode())
                writer.write(ANSWER)
                await writer.drain()
        except (ConnectionError, IndexError):
            pass
        finally:
            writer.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
