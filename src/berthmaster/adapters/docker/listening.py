"""Which addresses the processes of a container listen on, and who is connected, from /proc.

Nothing has to be installed in the container, and it says what a refused probe cannot: that a server
is there, on the wrong port or on 127.0.0.1 only.
"""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"  # state in /proc/net/tcp (include/net/tcp_states.h)
_ESTABLISHED: Final = "01"
_MAPPED: Final = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96
_ENGINE_DNS: Final = "127.0.0.11"  # the engine's own resolver in every container


def read_listeners(pid: int, proc: Path = Path("/proc")) -> tuple[str, ...]:
    """`address:port` of each TCP listener in the process's network namespace, sorted."""
    if pid <= 0:
        return ()
    found = {_parse(row[1]) for row in _sockets(pid, proc) if row[3] == _LISTEN}
    return tuple(sorted(item for item in found if not item.startswith(_ENGINE_DNS)))


def count_connections(pid: int, ports: Sequence[int], proc: Path = Path("/proc")) -> int:
    """Open connections whose own end is one of these ports."""
    own = tuple(f":{port:04X}" for port in ports)
    rows = _sockets(pid, proc) if pid > 0 and own else []
    return sum(row[3] == _ESTABLISHED and row[1].endswith(own) for row in rows)


def read_callers(pid: int, ports: Sequence[int], proc: Path = Path("/proc")) -> tuple[str, ...]:
    """Who is connected to these ports, or was in the last minute and was closed from this end."""
    own = tuple(f":{port:04X}" for port in ports)
    rows = _sockets(pid, proc) if pid > 0 and own else []
    found = {_address(row[2]) for row in rows if row[3] != _LISTEN and row[1].endswith(own)}
    return tuple(sorted(found))


def _sockets(pid: int, proc: Path) -> list[list[str]]:
    rows = [
        row.split() for name in ("tcp", "tcp6") for row in _rows(proc / str(pid) / "net" / name)
    ]
    return [row for row in rows if len(row) > 3]


def _rows(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()[1:]
    except OSError:
        return []


def _parse(text: str) -> str:
    """`0100007F:1F90` is 127.0.0.1:8000."""
    packed, port = _packed(text), int(text.partition(":")[2], 16)
    if len(packed) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, packed)}:{port}"
    return f"[{socket.inet_ntop(socket.AF_INET6, packed)}]:{port}"


def _address(text: str) -> str:
    """Without its port; one of IPv4 that a socket of IPv6 shows is shown as what it is."""
    packed = _packed(text)
    if len(packed) == 4 or packed.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, packed[-4:])
    return socket.inet_ntop(socket.AF_INET6, packed)


def _packed(text: str) -> bytes:
    """Words in the machine's byte order, here little-endian."""
    address = text.partition(":")[0]
    words = (bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8))
    return b"".join(words)
