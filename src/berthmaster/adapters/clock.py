"""The machine's own time; tests use `testing.clock` instead."""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """`ports.clock.Clock` over the standard library."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
