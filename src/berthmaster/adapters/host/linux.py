"""Routes, disk, memory, clock, ports and names of a Linux host; changes nothing."""

import asyncio
import ipaddress
import itertools
import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berthmaster.adapters.host import dns, ports

if TYPE_CHECKING:
    from berthmaster.ports.host import Disk, Memory

_STA_UNSYNC: Final = 0x0040  # <sys/timex.h>
_STATUS_OFFSET: Final = 40  # of `status` in struct timex on 64-bit Linux
_TIMEX_BYTES: Final = 208
_NO_NAME: Final = frozenset({socket.EAI_NONAME, socket.EAI_NODATA})


class LinuxHost:
    """Reads /proc and statvfs, asks the kernel's clock and the system's resolver."""

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

    def disk(self, path: Path) -> "Disk":
        """Space and inodes of the file system that holds `path` or its nearest parent."""
        from berthmaster.ports.host import Disk

        while not path.exists():
            path = path.parent
        stat = os.statvfs(path)
        size = stat.f_frsize
        return Disk(stat.f_blocks * size, stat.f_bavail * size, stat.f_files, stat.f_favail)

    def memory(self) -> "Memory":
        """As /proc/meminfo says."""
        from berthmaster.ports.host import Memory

        text = (self._proc / "meminfo").read_text()
        kilobytes = {name: int(value) for name, value in re.findall(r"(?m)^(\w+):\s+(\d+)", text)}
        total = kilobytes.get("MemTotal", 0)
        return Memory(1024 * total, 1024 * kilobytes.get("MemAvailable", total))

    def is_clock_synchronised(self) -> bool | None:
        """What adjtimex(2) says; it is asked, not set."""
        import ctypes

        answer = ctypes.create_string_buffer(_TIMEX_BYTES)
        try:
            ended = ctypes.CDLL(None, use_errno=True).adjtimex(answer)
        except (OSError, AttributeError):
            return None
        if ended < 0:
            return None
        status = int.from_bytes(answer.raw[_STATUS_OFFSET : _STATUS_OFFSET + 4], "little")
        return not status & _STA_UNSYNC

    def is_port_taken(self, port: int) -> bool:
        """Whether some process listens on this TCP port, IPv4 or IPv6."""
        return bool(ports.listening_inodes(self._proc, port))

    def port_owner(self, port: int) -> str:
        """The process behind a port, read from its open files."""
        return ports.owner_of(self._proc, ports.listening_inodes(self._proc, port))

    def addresses(self) -> frozenset[str]:
        """IPv4 from the local routing table, IPv6 from /proc/net/if_inet6."""
        return frozenset({*_ipv4(self._proc), *_ipv6(self._proc)} - {"127.0.0.1", "::1"})

    async def texts(self, name: str, *, timeout_seconds: float) -> tuple[str, ...] | None:
        """Ask the servers of /etc/resolv.conf: the system's resolver knows addresses only."""
        return await dns.texts(name, timeout_seconds=timeout_seconds)

    async def resolve(self, name: str, *, timeout_seconds: float) -> tuple[str, ...] | None:
        """Ask the system's resolver in a thread of its own, for a limited time."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_seconds):
                found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            return () if error.errno in _NO_NAME else None
        except (TimeoutError, OSError, UnicodeError):
            return None
        return tuple(dict.fromkeys(str(item[4][0]) for item in found))


def _address(hexadecimal: str) -> str:
    """The kernel prints IPv4 addresses as a little-endian number."""
    return str(ipaddress.IPv4Address(bytes.fromhex(hexadecimal)[::-1]))


def _ipv4(proc: Path) -> list[str]:
    """Addresses that the local table holds as `host LOCAL`."""
    lines = _lines(proc / "net/fib_trie")
    pairs = itertools.pairwise(lines)
    found = [one.split()[-1] for one, after in pairs if "/32 host LOCAL" in after]
    return [item for item in found if not item.startswith("127.")]


def _ipv6(proc: Path) -> list[str]:
    numbers = [line.split()[0] for line in _lines(proc / "net/if_inet6") if line.strip()]
    return [str(ipaddress.IPv6Address(bytes.fromhex(item))) for item in numbers]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
