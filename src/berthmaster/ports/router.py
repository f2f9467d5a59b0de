"""The router: what decides which release answers a request."""

from collections.abc import Sequence
from typing import Protocol

from berthmaster.domain.routing import Backend, GatewayStatus, HostClaim, Prefix, RouteTable


class Router(Protocol):
    """Change the table in the router's memory and in the files it starts from, both or neither.

    Every change is idempotent, atomic for requests, loses none of them and needs no reload.
    `fence` is the lease's number: a change that carries a smaller one than the last for that stack
    raises `LeaseLost`. Raises `GatewayRefused` when the router does not accept it and
    `NoAddressLeft` when the pool is full.
    """

    async def table(self) -> RouteTable:
        """What the router's memory holds now."""
        ...

    async def claims_of(self, host: str) -> tuple[HostClaim, ...]:
        """Who has a host now, on which entrypoints; not looked for below a suffix."""
        ...

    def mark(self) -> str:
        """What it shows under `tenancy.WELL_KNOWN` for names that nobody has; may be empty."""
        ...

    async def attach(
        self, stack: str, backends: Sequence[Backend], prefixes: Sequence[Prefix], *, fence: int
    ) -> None:
        """Fill slots of the pool and add a release's prefixes; traffic does not change."""
        ...

    async def detach(self, stack: str, release: str, *, fence: int) -> None:
        """Remove a release's prefixes and empty its slots; refuses the live one."""
        ...

    async def claim_hosts(self, claims: Sequence[HostClaim], *, fence: int) -> None: ...

    async def release_hosts(self, claims: Sequence[HostClaim], *, fence: int) -> None: ...

    async def switch(self, stack: str, release: str | None, *, fence: int) -> None:
        """Point all routes of a stack at a release (`shop-prod/r7`), or at nothing."""
        ...

    async def set_maintenance(self, stack: str, is_on: bool, *, fence: int) -> None: ...

    async def in_flight(self, release: str) -> int:
        """Requests, WebSockets and streams that run through a release's slots now."""
        ...

    async def waiting(self, release: str) -> int:
        """Requests that wait for a server of a release to be under its limit."""
        ...

    async def replace_table(self, table: RouteTable) -> None:
        """Write the whole table, for a rebuild; refuses an empty one over a full one."""
        ...

    async def status(self) -> GatewayStatus: ...
