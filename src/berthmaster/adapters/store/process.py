"""Which process holds a lease, told apart from a later one with the same number.

Reads /proc only; where there is none, no process is ever taken for dead.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process of one boot; `started` is in clock ticks after boot, None when unknown."""

    pid: int
    started: int | None
    namespace: str  # numbers mean something only inside one
    boot_id: str


def current_process() -> Process:
    """This process."""
    return _process(os.getpid())


@cache
def _process(pid: int) -> Process:
    state = _state(pid)
    return Process(pid, state[1] if state else None, _namespace(), boot_id())


def is_dead(process: Process) -> bool:
    """Whether the process certainly runs no more: of another boot, or gone (a zombie counts).

    A process of another PID namespace (a container) cannot be seen from here, so it counts as
    alive.
    """
    if process.boot_id != boot_id():
        return True
    if process == current_process():
        return False
    if process.started is None or process.namespace != _namespace():
        return False
    state = _state(process.pid)
    return state is None or state[0] in "ZX" or state[1] != process.started


@cache
def boot_id() -> str:
    """A random name of this boot; empty where the kernel gives none."""
    return _read(Path("/proc/sys/kernel/random/boot_id")).strip()


def _state(pid: int) -> tuple[str, int] | None:
    # The command's name is in parentheses and may hold spaces: fields count from the last one.
    # proc(5): field 3 is the state, field 22 the start time.
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return (fields[0], int(fields[19])) if len(fields) > 19 else None


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
