"""Routes, disk and ports of a Linux host; changes nothing."""

import ipaddress
import os
from pathlib import Path

from berthmaster.ports.host import Disk

_LISTEN = "0A"  # TCP_LISTEN in include/net/tcp_states.h


class LinuxHost:
    """Reads /proc and statvfs."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc

    def routes(self) -> tuple[str, ...]:
        """CIDR of every IPv4 route of the host but the default one."""
        lines = (self._proc / "net/route").read_text().splitlines()[1:]
        found = []
        for line in lines:
            fields = line.split()
            mask = _address(fields[7])
            if mask != "0.0.0.0":  # noqa: S104 - the default route's mask, not a bind
                found.append(str(ipaddress.IPv4Network(f"{_address(fields[1])}/{mask}")))
        return tuple(dict.fromkeys(found))

    def disk(self, path: Path) -> Disk:
        """Space and inodes of the file system that holds `path` or its nearest parent."""
        while not path.exists():
            path = path.parent
        stat = os.statvfs(path)
        size = stat.f_frsize
        return Disk(stat.f_blocks * size, stat.f_bavail * size, stat.f_files, stat.f_favail)

    def is_port_taken(self, port: int) -> bool:
        """Whether some process listens on this TCP port, IPv4 or IPv6."""
        wanted = f":{port:04X}"
        for name in ("net/tcp", "net/tcp6"):
            for line in (self._proc / name).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and fields[1].endswith(wanted):
                    return True
        return False


def _address(hexadecimal: str) -> str:
    """The kernel prints IPv4 addresses as a little-endian number."""
    return str(ipaddress.IPv4Address(bytes.fromhex(hexadecimal)[::-1]))
