"""SQLite's errors as ours, each with what to do about it.

Decided by SQLite's numeric code, never by the text of a message.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from berthmaster.domain.errors import OutsideError


class StoreUnavailable(OutsideError):
    """The store could not be read or written; nothing of the change it was asked for is in it."""


# The low byte of an extended result code is the code itself (sqlite.org/rescode.html).
_PRIMARY: Final = 0xFF
_CAUSES: Final = {
    sqlite3.SQLITE_BUSY: "another command is writing to it; try again",
    sqlite3.SQLITE_LOCKED: "another command is writing to it; try again",
    sqlite3.SQLITE_FULL: "the disk is full: free some space; nothing was written",
    sqlite3.SQLITE_IOERR: "the disk did not read or write: look at `dmesg` and the space left",
    sqlite3.SQLITE_READONLY: "it is read-only: run as root; is the disk mounted read-only?",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: run as root; has the disk space left?",
    sqlite3.SQLITE_PERM: "it may not be opened: run as root",
    sqlite3.SQLITE_CORRUPT: "it is damaged: put back the last snapshot; what runs goes on",
    sqlite3.SQLITE_NOTADB: "it is no database: put back the last snapshot; what runs goes on",
}
_RETRYABLE: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Raise `StoreUnavailable` for what SQLite raises inside.

    A broken rule of the schema passes as `IntegrityError`: only the caller knows its meaning.
    """
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.Error as error:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY
        cause = _CAUSES.get(code, str(error))
        raise StoreUnavailable(
            f"the store {path} does not work: {cause} (SQLite: {error})",
            subject="store",
            retryable=code in _RETRYABLE,
        ) from error
