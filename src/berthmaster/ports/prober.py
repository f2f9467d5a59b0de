"""One HTTP request, asked as a load balancer would, or one handshake."""

from typing import Protocol

from berthmaster.domain.probing import Certificate, Fetch, Fetched, Probe, ProbeResult


class Prober(Protocol):
    """Never raises for what the other side does; the result says it."""

    async def probe(self, probe: Probe) -> ProbeResult: ...

    async def fetch(self, wanted: Fetch) -> Fetched:
        """The whole answer; follows no redirect, reads no more than was allowed."""
        ...

    async def certificate(
        self, address: str, port: int, host: str, *, timeout_seconds: float
    ) -> Certificate:
        """The certificate that is shown for a host, whoever signed it."""
        ...
