"""The machine in memory: plenty of everything, until a test says otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from berthmaster.domain.takeover import Redirected
from berthmaster.ports.host import Disk, Memory
from berthmaster.testing.world import FakeEngine

GIGABYTE = 1_000_000_000


@dataclass(slots=True)
class FakeHost:
    """`ports.host.Host`; every answer is a field."""

    disk_answer: Disk = field(default_factory=lambda: Disk(100 * GIGABYTE, 80 * GIGABYTE, 100, 80))
    memory_answer: Memory = field(default_factory=lambda: Memory(8 * GIGABYTE, 6 * GIGABYTE))
    is_synchronised: bool | None = True
    owners: dict[int, str] = field(default_factory=dict)  # by port that is taken
    own_addresses: frozenset[str] = frozenset({"192.0.2.1"})
    names: dict[str, tuple[str, ...] | None] = field(default_factory=dict)  # others have no address
    route_list: tuple[str, ...] = ()
    text_records: dict[str, tuple[str, ...] | None] = field(default_factory=dict)

    def routes(self) -> tuple[str, ...]:
        return self.route_list

    def disk(self, path: Path) -> Disk:
        return self.disk_answer

    def memory(self) -> Memory:
        return self.memory_answer

    def is_clock_synchronised(self) -> bool | None:
        return self.is_synchronised

    def is_port_taken(self, port: int) -> bool:
        return port in self.owners

    def port_owner(self, port: int) -> str:
        return self.owners.get(port, "")

    def addresses(self) -> frozenset[str]:
        return self.own_addresses

    async def texts(self, name: str, *, timeout_seconds: float) -> tuple[str, ...] | None:
        return self.text_records.get(name, ())

    async def resolve(self, name: str, *, timeout_seconds: float) -> tuple[str, ...] | None:
        return self.names.get(name, ())


@dataclass(slots=True)
class FakeFirewall:
    """`ports.firewall.Firewall` whose rules are right unless `wrong` names some."""

    wrong: tuple[str, ...] = ()
    engine: FakeEngine = field(default_factory=FakeEngine)  # where a test makes calls fail
    led: tuple[Redirected, ...] = ()
    shut: frozenset[int] = frozenset()  # ports that nothing lets in

    async def ensure(self, block: str, ports: Sequence[int]) -> bool:
        changed, self.wrong = bool(self.wrong), ()
        return changed

    async def remove(self, block: str) -> None:
        return None

    async def differences(self, block: str, ports: Sequence[int]) -> tuple[str, ...]:
        return self.wrong

    async def redirect(self, block: str, ports: Sequence[Redirected]) -> None:
        with self.engine.calling("firewall.redirect"):
            self.led = tuple(ports)

    async def redirected(self, block: str) -> tuple[Redirected, ...]:
        return self.led

    async def refused(self, ports: Sequence[int]) -> tuple[int, ...]:
        return tuple(port for port in ports if port in self.shut)
