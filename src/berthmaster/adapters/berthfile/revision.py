"""The commit that is checked out, asked of git by argument vector."""

import subprocess
from pathlib import Path
from typing import Final

_SECONDS: Final = 20.0
_ENVIRONMENT: Final = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "GIT_OPTIONAL_LOCKS": "0",  # status must not write into the user's repository
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
# `berth record` tells what was deployed: it is no part of what is.
_WRITTEN_BY_BERTH: Final = (":(exclude)deployments", ":(exclude)docs/reports")
_NO_PROGRAMS: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


def revision(folder: Path) -> str | None:
    """`<commit>` or `<commit>-dirty`; None outside a repository or without git."""
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return None
    changed = _git(folder, "status", "--porcelain", "-uno", "--", ".", *_WRITTEN_BY_BERTH)
    return f"{commit}-dirty" if changed else commit


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *_NO_PROGRAMS, "-C", str(folder), *arguments],
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
