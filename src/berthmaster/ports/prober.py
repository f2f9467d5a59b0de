"""One HTTP request, asked as a load balancer would."""

from typing import Protocol

from berthmaster.domain.probing import Probe, ProbeResult


class Prober(Protocol):
    """Never raises for what the other side does; the result says it."""

    async def probe(self, probe: Probe) -> ProbeResult: ...
