"""One run of a program: how long, how large, how much of the processor; its children count too."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BERTH: Final = str(Path(sys.executable).with_name("berth"))

# The kernel counts what a process was before it became another program, so a small one starts it.
_LAUNCHER: Final = """\
import os, sys, time
begin = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - begin
cpu = usage.ru_utime + usage.ru_stime
print("\\n" + str(seconds), usage.ru_maxrss / 1024, cpu, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program; `memory_mb` is that of its largest process."""

    seconds: float
    memory_mb: float
    cpu_seconds: float
    out: str = ""


def run(settings: Path, *words: str) -> Run:
    """Run a program with this settings file; raises `RuntimeError` when it fails."""
    environment = {**os.environ, "BERTHMASTER_SETTINGS": str(settings)}
    command = (sys.executable, "-I", "-S", "-c", _LAUNCHER, *words)
    ended = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if ended.returncode != 0:
        said = ended.stdout[-1000:] + ended.stderr[-2000:]
        raise RuntimeError(f"{' '.join(words)}: {said}")
    seconds, memory, cpu = ended.stderr.splitlines()[-1].split()
    return Run(float(seconds), float(memory), float(cpu), ended.stdout)
