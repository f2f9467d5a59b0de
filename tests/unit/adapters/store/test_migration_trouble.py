"""A migration that SQLite gives up by itself, as on a full disk, says why."""

import sqlite3
from pathlib import Path

import pytest

from berthmaster.adapters.store import migration


def test_the_first_error_is_the_one_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "0001_start.sql"
    script.write_text("CREATE TABLE t (a UNIQUE);\nINSERT INTO t VALUES (1);\n")
    script.write_text(f"{script.read_text()}INSERT OR ROLLBACK INTO t VALUES (1);\n")
    monkeypatch.setattr(migration, "migrations", lambda: (script,))
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        migration.migrate(connection, ":memory:")
    connection.close()
