"""The release that serves while a job of the next one runs: does it still answer?

A migration that is declared compatible may hold a lock that the old code waits for, or commit what
the old code cannot live with. Only its own readiness tells. What was bad before the job began is
not the job's doing and is not heeded. Changes nothing.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from berthmaster.domain.probing import Probe, ProbeResult
from berthmaster.domain.release import Release
from berthmaster.engine.gate import readiness_probe
from berthmaster.ports.outside import Outside

LOOK_SECONDS: Final = 1.0  # between two looks
BAD_LOOKS: Final = 3  # in a row: one may meet the end of a connection, or a busy moment


@dataclass(frozen=True, slots=True)
class Bad:
    """A question that no replica of a route answered well, and the first answer."""

    probe: Probe
    answer: ProbeResult


class Neighbour:
    """Looks at one release at its own addresses; without a release all is well for ever."""

    def __init__(self, outside: Outside, release: Release | None) -> None:
        self._outside = outside
        self._routes: tuple[tuple[Probe, ...], ...] = ()
        if release is not None:
            self._routes = tuple(
                tuple(readiness_probe(release, route, item) for item in route.upstreams)
                for route in release.routes
                if route.upstreams
            )

    async def heed_only_good(self) -> None:
        """Look once, before the job, and leave out the routes that do not answer as it is."""
        found = await asyncio.gather(*(self._look(route) for route in self._routes))
        good = (route for route, bad in zip(self._routes, found, strict=True) if bad is None)
        self._routes = tuple(good)

    async def until_bad(self) -> Bad:
        """Look again and again; returns what was bad `BAD_LOOKS` times in a row."""
        while True:
            bad = await self.stays_bad()
            if bad is not None:
                return bad
            await self._outside.clock.sleep(LOOK_SECONDS)

    async def stays_bad(self, looks: int = BAD_LOOKS) -> Bad | None:
        """Look up to so many times; None as soon as all routes answer well."""
        first: Bad | None = None
        for number in range(looks):
            if number:
                await self._outside.clock.sleep(LOOK_SECONDS)
            bad = await self._first_bad()
            if bad is None:
                return None
            first = first or bad
        return first

    async def _first_bad(self) -> Bad | None:
        found = await asyncio.gather(*(self._look(route) for route in self._routes))
        return next((bad for bad in found if bad is not None), None)

    async def _look(self, route: tuple[Probe, ...]) -> Bad | None:
        """None when a replica answers well: a single one may die for reasons of its own."""
        answers = await asyncio.gather(*(self._outside.prober.probe(item) for item in route))
        if any(answer.is_good for answer in answers):
            return None
        return Bad(route[0], answers[0])
