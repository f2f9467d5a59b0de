"""How the database gets its tables.

`sql` (stage and prod, and the default): by `python -m community migrate` alone; the API only looks whether the schema
is new enough. `hybrid` migrates at the start and adds tables that no migration makes yet. `auto` makes what the models
say, for trying things out. Nothing is ever dropped, except by `auto` in dev when
DB_ALLOW_DESTRUCTIVE_AUTOMIGRATE says so.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, func, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import NullPool

from community.models import Base
from community.settings import Settings

MIGRATIONS = Path(__file__).parent.parent / "migrations"
_LOCK = 8375  # two migrations at once wait for each other


def migrate(settings: Settings) -> None:
    """Bring the schema to the newest revision, in one transaction."""
    with _engine(settings).begin() as connection:
        _lock(connection)
        command.upgrade(_alembic(connection), "head")


def prepare(settings: Settings) -> None:
    """Do at the start what DB_SCHEMA_MODE asks for."""
    if settings.db_schema_mode == "sql":
        return
    with _engine(settings).begin() as connection:
        _lock(connection)
        if settings.db_schema_mode == "hybrid":
            command.upgrade(_alembic(connection), "head")
        elif settings.app_env == "dev" and settings.db_allow_destructive_automigrate:
            Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
        if settings.db_schema_mode == "auto":
            command.stamp(_alembic(connection), "head")


async def problem_or_none(connection: AsyncConnection) -> str | None:
    """What keeps this code from working with the schema that is there."""
    if not await connection.run_sync(lambda sync: inspect(sync).has_table("alembic_version")):
        return "no migration has run"
    current = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    scripts = ScriptDirectory(str(MIGRATIONS))
    known = {script.revision for script in scripts.walk_revisions()}
    # NOTE: an unknown revision was made by a newer release; after a rollback that is good.
    if current in known and current != scripts.get_current_head():
        return f"revision {current}, {scripts.get_current_head()} is needed"
    return None if current else "no revision is recorded"


def _engine(settings: Settings) -> Engine:
    return create_engine(settings.database_url, poolclass=NullPool)


def _lock(connection: Connection) -> None:
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
