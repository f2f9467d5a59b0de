"""The machine under the engine: routes, disk, memory, clock, names, ports."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Disk:
    total_bytes: int
    free_bytes: int
    total_inodes: int
    free_inodes: int


@dataclass(frozen=True, slots=True)
class Memory:
    total_bytes: int
    available_bytes: int  # without swapping, as the kernel estimates it


class Host(Protocol):
    def routes(self) -> tuple[str, ...]:
        """CIDR of every IPv4 route of the host but the default one."""
        ...

    def disk(self, path: Path) -> Disk: ...

    def memory(self) -> Memory: ...

    def is_clock_synchronised(self) -> bool | None:
        """Whether something keeps the kernel's clock right; None when the kernel does not say."""
        ...

    def is_port_taken(self, port: int) -> bool:
        """Whether some process listens on this TCP port."""
        ...

    def port_owner(self, port: int) -> str:
        """`nginx (pid 812)` of the process that listens on this port; empty when nobody can tell.

        For a port that Docker publishes, `docker-proxy for 172.17.0.2`; for a process inside a
        container, its id behind that.
        """
        ...

    def addresses(self) -> frozenset[str]:
        """Every IP address of this machine, loopback left out."""
        ...

    async def texts(self, name: str, *, timeout_seconds: float) -> tuple[str, ...] | None:
        """The TXT records of a name, none when it has none; None when DNS is silent."""
        ...

    async def resolve(self, name: str, *, timeout_seconds: float) -> tuple[str, ...] | None:
        """The addresses that DNS has for a name, none when it has none; None when it is silent."""
        ...
