"""The client's database: a small pool, rows as dictionaries, one transaction for each request."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends
from fastapi.requests import HTTPConnection
from psycopg import Connection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from cms.core.settings import Settings

Pool = ConnectionPool[Connection[DictRow]]
Row = dict[str, Any]


def open_pool(settings: Settings) -> Pool:
    """Nothing is dialled before it is needed, and an idle connection is given back: each costs the database 2 MB."""
    return ConnectionPool(
        kwargs={**settings.dsn, "row_factory": dict_row, "options": "-c statement_timeout=10s"},
        connection_class=Connection[DictRow],
        min_size=0,
        max_size=settings.db_connections,
        max_idle=30,
        timeout=5,
        num_workers=1,
        check=ConnectionPool.check_connection,
        open=True,
    )


def settings_of(connection: HTTPConnection) -> Settings:
    """The settings of this process."""
    found: Settings = connection.app.state.settings
    return found


def _transaction(connection: HTTPConnection) -> Iterator[Connection[DictRow]]:
    pool: Pool = connection.app.state.pool
    with pool.connection() as found:
        yield found


Here = Annotated[Settings, Depends(settings_of)]
# NOTE: committed before the answer is sent, so that whoever reads it finds what it wrote.
Database = Annotated[Connection[DictRow], Depends(_transaction, scope="function")]
