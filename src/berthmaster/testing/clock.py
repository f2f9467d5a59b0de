"""Time that tests own: nothing waits, sleeping moves the hands."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """`ports.clock.Clock` that stands still until somebody sleeps or turns it."""

    def __init__(self, now: datetime = START) -> None:
        self._start = now
        self._elapsed = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)  # others get their turn, as with the real one

    def advance(self, seconds: float) -> None:
        """Turn the hands forward."""
        self._elapsed += max(seconds, 0.0)

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock alone, as a person or a time server does; it may go back."""
        self._start += timedelta(seconds=seconds)
