"""What restic says, as an error of ours."""

import re
from typing import Final

from berthmaster.domain.errors import OutsideError

_WRONG_CODE: Final = "wrong password or no key found"
_ABSENT: Final = "Is there a repository at the following location"
_THERE: Final = re.compile(r"config file already exists|already initialized")
_PACK: Final = re.compile(r"\b[0-9a-f]{64}\b")
_TAIL_LINES: Final = 4


class BackupFailed(OutsideError):
    """The target does not answer, or what is in it is not what was written."""


class WrongCode(BackupFailed):
    """The repository was made under another escrow code."""


class NoRepository(BackupFailed):
    """There is nothing at the target yet."""


def not_installed() -> BackupFailed:
    return BackupFailed(
        "restic is not installed; it writes and reads the backups",
        subject="restic",
        next_command="apt-get install restic",
    )


def not_started(program: str, error: OSError) -> BackupFailed:
    return BackupFailed(f"{program} cannot be started: {error.strerror}", subject="restic")


def failed(what: str, target: str, said: str) -> BackupFailed:
    """The right kind for what restic said."""
    if _WRONG_CODE in said:
        return WrongCode(
            f"{target} holds backups under another escrow code",
            subject="backup target",
            next_command="berth server restore --from TARGET, and type the code that was printed",
        )
    if _ABSENT in said:
        return NoRepository(f"there is no backup in {target}", subject="backup target")
    if _THERE.search(said):
        return WrongCode(
            f"{target} holds backups of another server or of an earlier code",
            subject="backup target",
            next_command="berth server backup --to ANOTHER_TARGET",
        )
    lines = [line for line in said.strip().splitlines() if line.strip()]
    words = " / ".join(lines[-_TAIL_LINES:]) or "it said nothing"
    return BackupFailed(
        f"{what} in {target} failed: {words}", subject="backup target", retryable=True
    )


def damaged_files(said: str) -> tuple[str, ...]:
    """The files of a repository that `restic check` complains about, by their path in it."""
    found = []
    for line in said.splitlines():
        if match := _PACK.search(line):
            name = match[0]
            where = f"data/{name[:2]}/{name}" if "ack" in line else name
            found.append(f"{where}: {line.strip().replace(name, name[:12])}")
        elif line.strip() and not line.startswith(("using temporary", "Fatal", "error for tree")):
            found.append(line.strip())
    return tuple(dict.fromkeys(found))
