"""The three schema modes; nothing drops a row unless dev asked for it."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from community import schema
from community.models import Base
from community.settings import Settings


@pytest.fixture
def database(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A database of its own, and the settings that lead to it."""
    admin = sa.create_engine(Settings(**values).database_url, isolation_level="AUTOCOMMIT")
    name = f"test_{uuid.uuid4().hex[:8]}"
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        yield {**values, "db_name": name}
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def tables(values: dict[str, Any]) -> set[str]:
    return set(ask(values, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))


def ask(values: dict[str, Any], statement: str) -> list[Any]:
    engine = sa.create_engine(Settings(**values).database_url)
    with engine.begin() as connection:
        result = connection.execute(sa.text(statement))
        found = [row[0] for row in result] if result.returns_rows else []
    engine.dispose()
    return found


ALL = {*Base.metadata.tables, "alembic_version"}
ADD_USER = "INSERT INTO users (name, password_hash) VALUES ('alice', 'x')"


def test_migrations_make_exactly_the_tables_of_the_models(migrated: sa.Engine) -> None:
    with migrated.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_sql_does_nothing_at_the_start(database: dict[str, Any]) -> None:
    schema.prepare(Settings(**database, db_schema_mode="sql"))
    assert tables(database) == set()


@pytest.mark.parametrize("mode", ["hybrid", "auto"])
@pytest.mark.requirement("R359")
def test_hybrid_and_auto_make_what_is_missing_and_keep_what_is_there(database: dict[str, Any], mode: str) -> None:
    settings = Settings(**database, db_schema_mode=mode)
    schema.prepare(settings)
    assert tables(database) == ALL
    ask(database, ADD_USER)
    ask(database, "CREATE TABLE somebody_elses (id int)")
    schema.prepare(settings)
    assert tables(database) == {*ALL, "somebody_elses"}
    assert ask(database, "SELECT name FROM users") == ["alice"]


def test_only_dev_that_asks_for_it_starts_from_nothing(database: dict[str, Any]) -> None:
    settings = Settings(**database, db_schema_mode="auto", db_allow_destructive_automigrate=True)
    schema.prepare(settings)
    ask(database, ADD_USER)
    schema.prepare(settings)
    assert ask(database, "SELECT name FROM users") == []


def test_migrating_twice_is_migrating_once(database: dict[str, Any]) -> None:
    settings = Settings(**database)
    schema.migrate(settings)
    ask(database, ADD_USER)
    schema.migrate(settings)
    assert ask(database, "SELECT name FROM users") == ["alice"]
