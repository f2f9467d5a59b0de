"""The schema: numbered SQL files, each applied once and whole.

A file is one transaction. It waits 5 s for a lock and then gives up, because a migration that waits stops everybody
who comes after it. What an old release reads and writes must keep working (expand now, contract a release later).
"""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import psycopg
from psycopg import Connection

from cms.core.settings import Settings

MIGRATIONS: Final = Path(__file__).parent / "migrations"
LOCK: Final = 7_305_161
WAIT_SECONDS: Final = 60.0
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
)"""


class MigrationFailed(Exception):
    """A file could not be applied; nothing of it stays."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """What it said when it was applied."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """In the order of their numbers."""
    return [Migration(path.stem, path.read_text()) for path in sorted(folder.glob("[0-9]*.sql"))]


def connect(settings: Settings, wait_seconds: float = WAIT_SECONDS) -> Connection[Any]:
    """Connect, waiting for a database that is still starting; a wrong password is told at once."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return psycopg.connect(**cast(dict[str, Any], settings.dsn), autocommit=True)
        except psycopg.OperationalError as exc:
            if "authentication failed" in str(exc) or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def migrate(settings: Settings, folder: Path = MIGRATIONS, wait_seconds: float = WAIT_SECONDS) -> list[str]:
    """Apply what is missing; gives the names. Two at once wait for each other."""
    with connect(settings, wait_seconds) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        connection.execute(_TABLE)
        pending = _pending(connection, migrations(folder))
        for one in pending:
            _apply(connection, one)
        return [one.name for one in pending]


def problem_or_none(connection: Connection[Any]) -> str | None:
    """What is missing for this code. A schema newer than the code is good: that is what a rollback finds."""
    found = connection.execute("SELECT to_regclass('schema_migrations') IS NOT NULL AS made").fetchone()
    if not found or not _first(found):
        return "not migrated"
    missing = _pending(connection, migrations())
    return f"lacks {', '.join(one.name for one in missing)}" if missing else None


def _pending(connection: Connection[Any], every: list[Migration]) -> list[Migration]:
    rows = connection.execute("SELECT name, digest FROM schema_migrations").fetchall()
    applied = dict(tuple(row.values()) if isinstance(row, dict) else row for row in rows)
    for one in every:
        if applied.get(one.name, one.digest) != one.digest:
            raise MigrationFailed(f"{one.name} was changed after it had been applied")
    return [one for one in every if one.name not in applied]


def _apply(connection: Connection[Any], one: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '5s'")
            connection.execute(one.text.encode())
            connection.execute("INSERT INTO schema_migrations (name, digest) VALUES (%s, %s)", [one.name, one.digest])
    except psycopg.Error as exc:
        raise MigrationFailed(f"migration {one.name} failed, nothing of it stays: {exc}".strip()) from exc


def _first(row: Any) -> Any:
    return next(iter(row.values())) if isinstance(row, dict) else row[0]
