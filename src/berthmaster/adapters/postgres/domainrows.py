"""The app's own table of domains: read as JSON, changed in one guarded transaction.

Both go through the psql of the database's own container. Every changed row is first compared with
what the plan was made from, so that a plan that is too old changes nothing.
"""

import json
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.postgres.server import Server, connection, identifier, literal
from berthmaster.domain.domainpolicy import DomainRow, RowChange
from berthmaster.domain.errors import NotAllowed, OutsideError
from berthmaster.domain.spec import RowSource

_READ_ONLY: Final = "SET default_transaction_read_only = on"
_LOCK: Final = "SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '30s';"
_ABSENT: Final = "does not exist"  # of the relation: the app has not made its tables yet


async def read(server: Server, source: RowSource) -> tuple[DomainRow, ...] | None:
    """The rows, in the order of the SQL; None before the app has made its table."""
    query = source.read.strip().rstrip(";")
    whole = f"SELECT coalesce(json_agg(found), '[]') FROM ({query}) AS found"  # noqa: S608
    database = await _database(server, source)
    try:
        answer = await server.ask_much(_READ_ONLY, whole, database=database)
    except OutsideError as error:
        if "relation" in error.message and _ABSENT in error.message:
            return None
        raise
    return tuple(_row(item) for item in json.loads(answer))


async def query(server: Server, sql: str, database: str | None) -> tuple[tuple[str, ...], ...]:
    """The rows of any SELECT, as text."""
    text = sql.strip().rstrip(";")
    whole = f"SELECT coalesce(json_agg(found), '[]') FROM ({text}) AS found"  # noqa: S608
    database = database or await _own_database(server)
    answer = await server.ask_much(_READ_ONLY, whole, database=database)
    return tuple(tuple(map(_text, item.values())) for item in json.loads(answer))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)


async def change(server: Server, source: RowSource, changes: Sequence[RowChange]) -> None:
    """All or nothing; raises `OutsideError`."""
    if not changes:
        return
    table = ".".join(identifier(part) for part in source.table.split("."))
    mark = f"$b{secrets.token_hex(6)}$"
    body = "\n".join(_statement(table, item) for item in changes)
    text = f"BEGIN; {_LOCK}\nDO {mark} BEGIN\n{body}\nEND {mark};\nCOMMIT;\n"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(text)
        script.flush()
        await server.run(
            "psql",
            *("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"),
            connection(await _database(server, source)),
            source=Path(script.name),
        )


def _statement(table: str, change: RowChange) -> str:
    before, after = change.before, change.after
    is_same = (
        f"id::text = {literal(before.id)} AND domain = {literal(before.domain)}"
        f" AND is_primary = {_boolean(before.is_primary)}"
    )
    if after is None:
        verb = f"DELETE FROM {table} WHERE {is_same}"  # noqa: S608
    else:
        new = f"domain = {literal(after.domain)}, is_primary = {_boolean(after.is_primary)}"
        verb = f"UPDATE {table} SET {new} WHERE {is_same}"  # noqa: S608
    said = literal(f"row {before.id} ({before.domain}) is not as it was; nothing was changed")
    return f"{verb};\nIF NOT FOUND THEN RAISE EXCEPTION USING MESSAGE = {said}; END IF;"


def _boolean(value: bool) -> str:
    return "true" if value else "false"


async def _database(server: Server, source: RowSource) -> str:
    return source.database or await _own_database(server)


async def _own_database(server: Server) -> str:
    """The one that the image made."""
    answer = await server.runtime.execute(server.container, ["printenv", "POSTGRES_DB"])
    return answer.output.strip() if answer.exit_code == 0 else server.user


def _row(item: dict[str, Any]) -> DomainRow:
    try:
        return DomainRow(
            str(item["id"]), str(item["domain"]), bool(item["is_primary"]), str(item["tenant"])
        )
    except KeyError as error:
        raise NotAllowed(
            f"the SQL of domains.source gives no column {error}: id, domain, is_primary, tenant",
            next_command="correct domains.source.read in berth.yaml",
        ) from error
