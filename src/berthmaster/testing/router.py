"""The in-memory twin of the router: the same table, the same refusals, no process."""

from collections.abc import Sequence

from berthmaster.domain import table as change
from berthmaster.domain.errors import GatewayRefused
from berthmaster.domain.routing import (
    Backend,
    Entrypoint,
    GatewayStatus,
    HostClaim,
    Prefix,
    RouteTable,
)


class FakeRouter:
    """A `Router` whose memory is a value.

    Tests read `history` (the verbs in order) and set `in_flight_counts`,
    `waiting_counts`, or `failure` to have every
    change refused, or `is_up` to have nothing answer at all.
    """

    def __init__(
        self,
        entrypoints: Sequence[Entrypoint] = (),
        *,
        slot_count: int = 1000,
        server_count: int = 4,
    ) -> None:
        self.in_flight_counts: dict[str, int] = {}
        self.waiting_counts: dict[str, int] = {}
        self.history: list[str] = []
        self.failure: Exception | None = None
        self.is_up = True
        self._table = RouteTable()
        self._fences: dict[str, int] = {}
        self._entrypoints = tuple(entrypoints)
        self._slot_count = slot_count
        self._server_count = server_count

    async def table(self) -> RouteTable:
        """What the router holds now."""
        if not self.is_up:
            raise GatewayRefused("the router does not run", subject="gateway")
        return self._table

    async def claims_of(self, host: str) -> tuple[HostClaim, ...]:
        """Who has a host."""
        return tuple(claim for claim in (await self.table()).hosts if claim.host == host)

    def mark(self) -> str:
        """What it shows of this server."""
        return "0123456789abcdef" * 2

    async def attach(
        self, stack: str, backends: Sequence[Backend], prefixes: Sequence[Prefix], *, fence: int
    ) -> None:
        """Fill slots and add prefixes."""
        self._check_pool(backends)
        self._check([stack], fence)
        self._take(change.attach(self._table, stack, backends, prefixes), f"attach {stack}")

    async def detach(self, stack: str, release: str, *, fence: int) -> None:
        """Remove a release that is not live."""
        self._check([stack], fence)
        self._take(change.detach(self._table, release), f"detach {release}")

    async def claim_hosts(self, claims: Sequence[HostClaim], *, fence: int) -> None:
        """Give hosts to their stacks."""
        self._check([claim.stack for claim in claims], fence)
        hosts = " ".join(claim.host for claim in claims)
        self._take(change.claim_hosts(self._table, claims), f"claim {hosts}")

    async def release_hosts(self, claims: Sequence[HostClaim], *, fence: int) -> None:
        """Take hosts away."""
        self._check([claim.stack for claim in claims], fence)
        hosts = " ".join(claim.host for claim in claims)
        self._take(change.release_hosts(self._table, claims), f"release {hosts}")

    async def switch(self, stack: str, release: str | None, *, fence: int) -> None:
        """Point a stack at a release."""
        self._check([stack], fence)
        self._take(change.switch(self._table, stack, release), f"switch {stack} {release}")

    async def set_maintenance(self, stack: str, is_on: bool, *, fence: int) -> None:
        """Turn the maintenance page on or off."""
        self._check([stack], fence)
        state = "on" if is_on else "off"
        self._take(
            change.set_maintenance(self._table, stack, is_on), f"maintenance {stack} {state}"
        )

    async def in_flight(self, release: str) -> int:
        """What the test said."""
        return self.in_flight_counts.get(release, 0)

    async def waiting(self, release: str) -> int:
        """What the test said."""
        return self.waiting_counts.get(release, 0)

    async def replace_table(self, table: RouteTable) -> None:
        """Take a whole table and forget all fences."""
        self._check_pool(table.backends)
        change.check_replacement(self._table, table)
        self._check([], 0)
        self._fences.clear()
        self._take(change.tidied(table), "replace")

    async def status(self) -> GatewayStatus:
        """Up, with nothing different, unless a test says that it is down."""
        return GatewayStatus(
            is_router_up=self.is_up,
            is_edge_up=self.is_up,
            router_version="2.6.12",
            edge_version="2.6.2",
            differences=(),
            entrypoints=self._entrypoints,
        )

    def _check_pool(self, backends: Sequence[Backend]) -> None:
        change.check_pool(backends, slot_count=self._slot_count, server_count=self._server_count)

    def _check(self, stacks: Sequence[str], fence: int) -> None:
        for stack in stacks:
            change.check_fence(stack, self._fences.get(stack, 0), fence)
        if self.failure is not None:
            raise self.failure
        self._fences.update(dict.fromkeys(stacks, fence))

    def _take(self, table: RouteTable, what: str) -> None:
        self._table = change.tidied(table)
        self.history.append(what)
