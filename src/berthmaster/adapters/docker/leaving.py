"""One container after the other leaves its networks, on engines that lock up for good otherwise.

Below 20.10.27 two containers that leave one network at the same instant can deadlock the engine's
network controller (moby issue 46661, mended by libnetwork #2679): `docker ps` still answers, while
each start, stop and remove on the machine waits until the engine is restarted. Seen with Debian
12's 20.10.24 after some fifty removals of four containers at once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from berthmaster.domain.container import EngineVersion


class Exit:
    """A door for one at a time; wide open on engines that are mended."""

    def __init__(self, read_version: Callable[[], Awaitable[str]]) -> None:
        self._read_version = read_version
        self._lock = asyncio.Lock()
        self._is_narrow: bool | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold the door while a container stops or goes."""
        if self._is_narrow is None:
            self._is_narrow = is_affected(await self._read_version())
        if not self._is_narrow:
            yield
            return
        async with self._lock:
            yield


def is_affected(version: str) -> bool:
    """Whether an engine of this version can deadlock."""
    return EngineVersion(version, api="", architecture="").can_deadlock
