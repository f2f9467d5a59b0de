"""How large running processes are and how much of the processor they used; read from /proc."""

import os
from pathlib import Path

from tests.scenario.commands import end, start

TICKS = os.sysconf("SC_CLK_TCK")


def observe_mb(pid: int) -> float:
    """Resident memory of one process; 0 when it is gone."""
    for line in _read(pid, "status").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def observe_cpu_seconds(pid: int) -> float:
    """Time on the processor since its start, children that it waited for with it."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return sum(int(item) for item in fields[11:15]) / TICKS if fields else 0.0


async def observe_container_mb(name: str) -> float:
    """Resident memory of all processes of a container; 0 when it does not run."""
    ended = await end(await start("docker", "top", name, "-o", "pid,rss"))
    rows = [line.split() for line in ended.out.splitlines()[1:]]
    return sum(int(row[1]) for row in rows) / 1024


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""
