"""The one connection to the SQLite file: opening, durability, transactions, snapshots.

Knows no table; must not be used from a second thread.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.store.errors import (
    StoreUnavailable,
    damaged,
    snapshots_in,
    translated,
)
from berthmaster.adapters.store.migration import migrate
from berthmaster.adapters.synced import sync

# A writer holds the file for well under a millisecond; only a stopped one makes others wait this
# long.
BUSY_SECONDS: Final = 5.0
_MEMORY: Final = ":memory:"
_UNOPENABLE: Final = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
    }
)


class Database:
    """Run statements and nested transactions; `:memory:` makes one that is gone with it."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._depth = 0
        if self.path != _MEMORY:
            _prepare_file(Path(self.path))
        with translated(self.path):
            self._connection = _open(self.path)

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Every row of a query."""
        with translated(self.path):
            return self._connection.execute(sql, values).fetchall()

    def row_or_none(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row of a query."""
        with translated(self.path):
            row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
            return row

    def write(self, sql: str, *values: Any) -> int:
        """Change rows, in the open transaction or in one of its own; returns how many.

        Raises `sqlite3.IntegrityError` when a rule of the schema forbids it.
        """
        return self._execute(sql, values).rowcount

    def insert(self, sql: str, *values: Any) -> int:
        """Add a row and return its id; otherwise like `write`."""
        return self._execute(sql, values).lastrowid or 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable when it ends; one inside another is undone alone when it fails.

        Takes the write lock at once (`BEGIN IMMEDIATE`): what is read inside stays true until the
        end. Never await inside: every other writer waits.
        """
        name = f"level{self._depth}"
        with translated(self.path):
            self._connection.execute(f"SAVEPOINT {name}" if self._depth else "BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            self._undo(name)
            raise
        self._depth -= 1
        self._commit(name)

    def snapshot(self, target: Path) -> None:
        """Copy the database while it is in use; `target` appears whole or not at all."""
        with self.copied(target.parent) as part:
            part.replace(target)

    @contextmanager
    def copied(self, folder: Path) -> Iterator[Path]:
        """A copy for the block to name; it is gone afterwards under the name it is given here.

        Several commands may copy at once: the name is this process's own.
        """
        part = folder / f".{Path(self.path).name}.{os.getpid()}.part"
        try:
            private_folder(folder)
            self._copy(part)
            yield part
            sync(folder)
        except OSError as error:
            raise StoreUnavailable(
                f"the store cannot be copied to {folder}: {error.strerror}",
                subject="store",
                next_command="df -h -i, free space, then the same again",
            ) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; SQLite folds the write-ahead log into it."""
        with translated(self.path):
            self._connection.close()

    def _copy(self, part: Path) -> None:
        part.unlink(missing_ok=True)
        _create_private(part)
        with translated(self.path), closing(sqlite3.connect(part)) as copy:
            self._connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a -wal beside it
        sync(part)

    def _execute(self, sql: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        with self.transaction(), translated(self.path):
            return self._connection.execute(sql, values)

    def _undo(self, name: str) -> None:
        # A full disk makes SQLite roll back by itself: then there is nothing left to undo.
        with suppress(sqlite3.Error):
            if self._depth:
                self._connection.execute(f"ROLLBACK TO {name}")
                self._connection.execute(f"RELEASE {name}")
            else:
                self._connection.execute("ROLLBACK")

    def _commit(self, name: str) -> None:
        with translated(self.path):
            try:
                self._connection.execute(f"RELEASE {name}" if self._depth else "COMMIT")
            except sqlite3.Error:
                self._undo(name)
                raise


def _open(path: str) -> sqlite3.Connection:
    if path == _MEMORY:
        return _open_in_memory()
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        _set_up(connection)  # the first statement already looks beside the file
        _keep_a_log(connection)
        migrate(connection, path)
    except sqlite3.OperationalError as error:
        connection.close()
        return _open_read_only(path, error)
    except BaseException:
        connection.close()
        raise
    return connection


def _keep_a_log(connection: sqlite3.Connection) -> None:
    # SQLite lets nobody wait for this change of a new file: with another command there it fails at
    # once, whatever the timeout. A write lock is waited for, and then that command is done.
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        else:
            return
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def _open_in_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(_MEMORY, isolation_level=None)
    connection.deserialize(_empty_store())
    _set_up(connection)
    return connection


@cache
def _empty_store() -> bytes:
    """A store of this program's version; thousands of tests begin with one."""
    with closing(sqlite3.connect(_MEMORY, isolation_level=None)) as connection:
        migrate(connection, _MEMORY)
        return connection.serialize()


def _open_read_only(path: str, error: sqlite3.OperationalError) -> sqlite3.Connection:
    # WAL needs a few pages beside the file even to read. On a full disk, or one mounted read-only,
    # they cannot be made; with no unfolded log the file itself is the whole truth, and nobody can
    # be changing it.
    log = Path(f"{path}-wal")
    if error.sqlite_errorcode & 0xFF not in _UNOPENABLE or (log.exists() and log.stat().st_size):
        raise error
    target = f"{Path(path).absolute().as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(target, isolation_level=None, uri=True)
    _set_up(connection)
    migrate(connection, path)
    return connection


def _set_up(connection: sqlite3.Connection) -> None:
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _prepare_file(path: Path) -> None:
    try:
        # NOTE: SQLite takes an empty file for a new store; the copies say that there was one.
        # Another command may make both between two looks: the last one is at the store.
        if _is_missing(path) and snapshots_in(path) and _is_missing(path):
            raise damaged(str(path), "it is empty" if path.exists() else "it is gone")
        private_folder(path.parent)
        with suppress(FileExistsError):
            _create_private(path)
    except OSError as error:
        is_closed = isinstance(error, PermissionError)
        remedy = "run as root" if is_closed else "free some space, or correct state_folder"
        raise StoreUnavailable(
            f"the store {path} cannot be made: {error.strerror}; {remedy}",
            subject="store",
            next_command="sudo berth status" if is_closed else "df -h -i",
        ) from error


def _is_missing(path: Path) -> bool:
    return not (path.exists() and path.stat().st_size)


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter, with its parents."""
    for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def _create_private(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
