"""Whether the files that a deploy reads are committed as they are; asks git, changes nothing."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from berthmaster.adapters.berthfile.inputs import artifact_inputs, is_compiled
from berthmaster.adapters.berthfile.read import FILE_NAME
from berthmaster.domain.spec import AppSpec
from berthmaster.ports.checkout import Checkout

_SECONDS: Final = 10.0
_ENVIRONMENT: Final = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "GIT_OPTIONAL_LOCKS": "0",  # a look must not write into the user's repository
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_NO_PROGRAMS: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


def checkout(spec: AppSpec) -> Checkout | None:
    """Compare with the last commit; None outside a repository, and where it ignores berth.yaml."""
    folder = Path(spec.folder)
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None
    try:
        if _is_ignored(folder):  # built or copied into a repository that wants none of it
            return None
        changed = _git(folder, "diff", "--name-only", "--relative", "-z", "HEAD", "--", ".")
        tracked = set(_git(folder, "ls-files", "-z", "--", "."))
        others = set(_git(folder, "ls-files", "-z", "--others", "--exclude-standard", "--", "."))
    except (OSError, subprocess.SubprocessError) as error:
        return Checkout(problem=_reason(error))
    named = {os.path.normpath(path) for path in artifact_inputs(spec)}
    read = (path for path in _read_by_a_deploy(spec) if path not in tracked)
    # What the repository ignores below a folder (caches, compiled files) is nobody's work; what
    # is named by itself, or lies outside the app's folder, must be committed all the same.
    untracked = {path for path in read if path in others | named or path.startswith("..")}
    return Checkout(tuple(sorted(changed)), tuple(sorted(untracked)))


def _read_by_a_deploy(spec: AppSpec) -> Iterator[str]:
    folder = Path(spec.folder)
    for path in artifact_inputs(spec):
        if (folder / path).is_file():
            yield os.path.normpath(path)
        for below, _, names in os.walk(folder / path):
            found = (Path(below, name) for name in names)
            yield from (os.path.relpath(one, folder) for one in found if not is_compiled(one))


def _is_ignored(folder: Path) -> bool:
    return _run(folder, "check-ignore", "-q", "--", FILE_NAME).returncode == 0


def _git(folder: Path, *arguments: str) -> list[str]:
    done = _run(folder, *arguments)
    done.check_returncode()
    return [item for item in done.stdout.split("\0") if item]


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *_NO_PROGRAMS, "-C", str(folder), *arguments],
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = str(error.stderr or "").strip().splitlines()
        return lines[0].removeprefix("fatal: ")[:200] if lines else "git failed"
    return "git does not answer" if isinstance(error, subprocess.TimeoutExpired) else "no git here"
