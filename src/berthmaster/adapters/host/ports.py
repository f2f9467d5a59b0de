"""Which process listens on a port, read from /proc: sockets by inode, then who holds one open."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"  # TCP_LISTEN in include/net/tcp_states.h
_PROXY: Final = "docker-proxy"
_CONTAINER: Final = re.compile(r"[/-]([0-9a-f]{64})\b")


def listening_inodes(proc: Path, port: int) -> frozenset[str]:
    """Inodes of the sockets that listen on a TCP port, IPv4 or IPv6."""
    wanted = f":{port:04X}"
    found = set()
    for name in ("net/tcp", "net/tcp6"):
        for line in _lines(proc / name)[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and fields[1].endswith(wanted):
                found.add(fields[9])
    return frozenset(found)


def _lines(path: Path) -> list[str]:
    """Nothing where the kernel has no such protocol, as without IPv6."""
    try:
        return path.read_text().splitlines()
    except FileNotFoundError:
        return []


def owner_of(proc: Path, inodes: frozenset[str]) -> str:
    """The first process that has one of these sockets open; empty when none can be seen."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for pid in sorted((item.name for item in proc.iterdir() if item.name.isdigit()), key=int):
        if wanted and wanted.intersection(_open_files(proc / pid)):
            return _described(proc / pid)
    return ""


def _open_files(process: Path) -> Iterator[str]:
    """Processes come and go, and others' may not be looked into."""
    with contextlib.suppress(OSError):
        for item in os.scandir(process / "fd"):
            with contextlib.suppress(OSError):
                yield os.readlink(item.path)


def _described(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        words = []
    name = Path(words[0]).name if words and words[0] else "a process"
    if name == _PROXY and "-container-ip" in words[:-1]:
        return f"{_PROXY} for {words[words.index('-container-ip') + 1]}"
    container = _container_of(process)
    return f"{name} (pid {process.name})" + (f" in container {container}" if container else "")


def _container_of(process: Path) -> str:
    """The id of the container that a process belongs to, as its control group says."""
    try:
        found = _CONTAINER.search((process / "cgroup").read_text())
    except OSError:
        return ""
    return found[1] if found else ""
