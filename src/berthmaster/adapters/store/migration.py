"""Numbered SQL files, applied in order, each in a transaction of its own.

The number of the last one is in the file's header (`user_version`). A store that a newer program
wrote is refused, never guessed at.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from berthmaster.adapters.store.errors import StoreUnavailable

FOLDER: Final = Path(__file__).parent / "migrations"


@cache
def migrations() -> tuple[Path, ...]:
    """The files in order; the n-th is numbered n."""
    return tuple(sorted(FOLDER.glob("[0-9][0-9][0-9][0-9]_*.sql")))


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the store to this program's version; two programs that start at once do it once."""
    wanted = len(migrations())
    found = _version(connection)
    if found > wanted:
        raise StoreUnavailable(
            f"the store {path} has version {found} and this berth knows up to {wanted}:"
            " a newer berth wrote it. Install that version again; nothing was changed",
            subject="store",
        )
    for number in range(found + 1, wanted + 1):
        _apply(connection, number)


def _apply(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) < number:
            for statement in _statements(migrations()[number - 1].read_text()):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk made SQLite do it by itself
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    # `executescript` would commit on its own; a trigger's body has semicolons inside.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
