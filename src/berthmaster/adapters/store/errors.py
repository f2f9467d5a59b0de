"""SQLite's errors as ours, each with what to do about it.

Decided by SQLite's numeric code, never by the text of a message.
"""

import re
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from berthmaster.domain.errors import OutsideError


class StoreUnavailable(OutsideError):
    """The store could not be read or written; nothing of the change it was asked for is in it."""


RESTORE: Final = "berth server restore-store"
_SNAPSHOT: Final = re.compile(r"store-\d{6,}-.*\.db\Z")
# The low byte of an extended result code is the code itself (sqlite.org/rescode.html).
_PRIMARY: Final = 0xFF
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_CAUSES: Final = {
    sqlite3.SQLITE_BUSY: "another command is writing to it; try again",
    sqlite3.SQLITE_LOCKED: "another command is writing to it; try again",
    sqlite3.SQLITE_FULL: "the disk is full: free some space; nothing was written",
    sqlite3.SQLITE_IOERR: "the disk did not read or write: look at `dmesg` and the space left",
    sqlite3.SQLITE_READONLY: "it is read-only: run as root; is its disk full or mounted read-only?",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: run as root; has the disk space left?",
    sqlite3.SQLITE_PERM: "it may not be opened: run as root",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is no database",
}
# What a person types once the cause is out of the way: it finishes or reverses what was begun.
_NEXT: Final = {
    sqlite3.SQLITE_BUSY: "berth tick",
    sqlite3.SQLITE_LOCKED: "berth tick",
    sqlite3.SQLITE_FULL: "df -h -i, free space, then berth tick",
    sqlite3.SQLITE_IOERR: "dmesg | tail",
    sqlite3.SQLITE_READONLY: "df -h -i, free space or mount -o remount,rw, then berth tick",
    sqlite3.SQLITE_CANTOPEN: "df -h -i, free space, then berth tick",
}
_RETRYABLE: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def translated(path: str) -> AbstractContextManager[None]:
    """Raise `StoreUnavailable` for what SQLite raises inside.

    A broken rule of the schema passes as `IntegrityError`: only the caller knows its meaning.
    """
    return _Translation(path)


class _Translation(AbstractContextManager[None]):
    """Around every statement: a class, because a generator takes as long as the statement."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError):
            raise _unavailable(self._path, error) from error


def _unavailable(path: str, error: sqlite3.Error) -> StoreUnavailable:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY
    if code in _DAMAGED:
        return damaged(path, f"{_CAUSES[code]} (SQLite: {error})")
    cause = _CAUSES.get(code, str(error))
    return StoreUnavailable(
        f"the store {path} does not work: {cause} (SQLite: {error})",
        subject="store",
        retryable=code in _RETRYABLE,
        next_command=_NEXT.get(code),
    )


def damaged(path: str, what: str) -> StoreUnavailable:
    """The store cannot be used; names the newest copy and how to put it back."""
    newest = next(iter(snapshots_in(Path(path))), None)
    copy = f"the last snapshot is {newest}" if newest else "there is no snapshot of it"
    return StoreUnavailable(
        f"the store {path} does not work: {what}; {copy}. What runs goes on serving",
        subject="store",
        next_command=RESTORE if newest else f"put your own copy of {path} back",
    )


def folder_of(store: Path) -> Path:
    """Where the store's copies are."""
    return store.parent / "snapshots"


def snapshots_in(store: Path) -> list[Path]:
    """The store's copies by their number, newest first."""
    try:
        found = [path for path in folder_of(store).iterdir() if _SNAPSHOT.match(path.name)]
    except OSError:
        return []
    return sorted(found, key=lambda path: (int(path.name.split("-")[1]), path.name), reverse=True)
