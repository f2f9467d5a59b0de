"""The machine under the engine: routes, disk, memory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Disk:
    total_bytes: int
    free_bytes: int
    total_inodes: int
    free_inodes: int


class Host(Protocol):
    def routes(self) -> tuple[str, ...]:
        """CIDR of every IPv4 route of the host but the default one."""
        ...

    def disk(self, path: Path) -> Disk: ...

    def is_port_taken(self, port: int) -> bool:
        """Whether some process listens on this TCP port."""
        ...
