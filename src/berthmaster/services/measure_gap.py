"""Asks at ports while they change hands, always on a new connection, and counts who went without.

A visitor of this machine itself; what a client that keeps its connection sees is not measured here.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from berthmaster.domain.probing import Probe
from berthmaster.ports.outside import Outside

PAUSE_SECONDS: Final = 0.02


@dataclass(slots=True)
class Measured:
    """What was seen; complete when the block has ended."""

    asked: int = 0
    lost: int = 0  # no answer, or one of 500 and more
    gap_seconds: float = 0.0  # the longest time from an answer to the next one, when one was lost

    def describe(self) -> str:
        """One line for a person."""
        gap = f", {self.gap_seconds:.2f} s without an answer" if self.lost else ""
        return f"{self.lost} of {self.asked} new connections lost{gap}"


@asynccontextmanager
async def measured(outside: Outside, probes: Sequence[Probe]) -> AsyncIterator[Measured]:
    """Ask all the time until the block ends, each probe in a row of its own."""
    seen, is_over = Measured(), asyncio.Event()
    rows = [asyncio.ensure_future(_ask(outside, probe, seen, is_over)) for probe in probes]
    try:
        yield seen
    finally:
        is_over.set()
        await asyncio.gather(*rows)


async def _ask(outside: Outside, probe: Probe, seen: Measured, is_over: asyncio.Event) -> None:
    clock = outside.clock
    answered_at, has_lost = clock.monotonic(), False
    while not is_over.is_set():
        answer = await outside.prober.probe(probe)
        seen.asked += 1
        if answer.status is None or answer.status >= 500:
            seen.lost, has_lost = seen.lost + 1, True
        else:
            now = clock.monotonic()
            if has_lost:
                seen.gap_seconds = max(seen.gap_seconds, now - answered_at)
            answered_at, has_lost = now, False
        await clock.sleep(PAUSE_SECONDS)
