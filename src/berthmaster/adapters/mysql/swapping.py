"""Gives a restored database the name of the app's, and keeps the old one under another.

MariaDB and MySQL cannot rename a database, so both are copied. How far that came is one row in a
table inside the app's database: whoever goes on, or turns back, knows what is whole.
"""

import tempfile
from pathlib import Path
from typing import Final

from berthmaster.adapters.dumps import errors
from berthmaster.adapters.mysql import restore
from berthmaster.adapters.mysql.server import Server, identifier, literal

MARK: Final = "berth_being_put_back"
_KEEPING: Final = "keeping"  # the old one is being copied; nothing of it has changed
_FILLING: Final = "filling"  # it is kept whole; the new one is being copied over it
_COLUMNS: Final = "(id int PRIMARY KEY, step varchar(20), kept varchar(64)) ENGINE = InnoDB"
_THERE: Final = (
    "SELECT 1 FROM information_schema.tables WHERE table_schema = {schema} AND table_name = {mark}"
)
_VIEWS: Final = "SELECT table_name FROM information_schema.views WHERE table_schema = {schema}"
_OBJECTS: Final = """
    SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = {schema}
    UNION ALL SELECT routine_type, routine_name FROM information_schema.routines
        WHERE routine_schema = {schema} AND routine_type IN ('FUNCTION', 'PROCEDURE')
    UNION ALL SELECT
        CASE table_type WHEN 'VIEW' THEN 'VIEW' WHEN 'SEQUENCE' THEN 'SEQUENCE' ELSE 'TABLE' END,
        table_name FROM information_schema.tables
        WHERE table_schema = {schema} AND table_name <> {mark}
"""


async def swap(server: Server, database: str, new: str, kept: str) -> None:
    """Both, or what was there; the same call goes on after a kill, and the reverse turns back."""
    there = set(await server.databases())
    step, held = await _read(server, database) if database in there else ("", "")
    if step == _KEEPING and held == new:  # turned back before anything had changed
        await restore.drop(server, new)
        await _forget(server, database)
        return
    if step != _FILLING:
        if not step and new not in there and kept in there:
            return
        if new not in there or (kept in there and not step):
            raise errors.not_swappable(server.container, new, database)
        await _keep(server, database, kept)
    if new in there:
        await _fill(server, database, new)
        await restore.drop(server, new)
    await _forget(server, database)


async def is_begun(server: Server, database: str) -> bool:
    """Whether a swap of this database has begun and not ended."""
    return bool((await _read(server, database))[0])


async def _keep(server: Server, database: str, kept: str) -> None:
    """A copy of what is there."""
    name = identifier(database)
    await server.ask(f"CREATE DATABASE IF NOT EXISTS {name}")
    await _note(server, database, _KEEPING, kept)
    await restore.end_sessions_in(server, database)
    await restore.make_empty(server, kept, await restore.collation_of(server, database))
    await _copy(server, database, kept)
    await restore.park_events(server, kept)
    await _note(server, database, _FILLING, kept)


async def _fill(server: Server, database: str, new: str) -> None:
    """Nothing of the old one stays in it."""
    await restore.end_sessions_in(server, database, new)
    values = {"schema": literal(database), "mark": literal(MARK)}
    found = [line.partition("\t") for line in await server.ask(_OBJECTS.format(**values))]
    drops = [
        f"DROP {kind} IF EXISTS {identifier(database)}.{identifier(name)}"
        for kind, _, name in found
    ]
    await server.run("SET foreign_key_checks = 0, lock_wait_timeout = 20", *drops)
    collation = await restore.collation_of(server, new)
    await server.ask(f"ALTER DATABASE {identifier(database)} COLLATE {literal(collation)}")
    await _copy(server, new, database)
    await restore.wake_events(server, database)


async def _copy(server: Server, source: str, into: str) -> None:
    with tempfile.TemporaryDirectory(prefix="berth-") as folder:  # mode 0700
        dump = Path(folder) / "copy.sql"
        await server.dump(source, dump, without=(MARK, *await _broken_views(server, source)))
        wanted = restore.count_dumped(server, dump)
        await server.load(dump, into)
    found = await restore.count_tables(server, into, without=MARK)
    if found != wanted:
        raise errors.incomplete(server.container, into, found, wanted)


async def _broken_views(server: Server, database: str) -> tuple[str, ...]:
    """Views of what is not there any more: they stop every dump, and hold nothing."""
    views = await server.ask(_VIEWS.format(schema=literal(database)))
    if not views:
        return ()
    named = ", ".join(f"{identifier(database)}.{identifier(name)}" for name in views)
    rows = [line.split("\t") for line in await server.ask(f"CHECK TABLE {named}")]
    bad = {row[0] for row in rows if row[2] == "Error"}
    return tuple(name for name in views if f"{database}.{name}" in bad)


async def _read(server: Server, database: str) -> tuple[str, str]:
    """Where a swap is, and the name that it keeps the old one under; empty when there is none."""
    there = await server.ask(_THERE.format(schema=literal(database), mark=literal(MARK)))
    query = f"SELECT step, kept FROM {_mark(database)}"  # noqa: S608
    rows = await server.ask(query) if there else ()
    step, _, kept = rows[0].partition("\t") if rows else ("", "", "")
    return step, kept


async def _note(server: Server, database: str, step: str, kept: str) -> None:
    mark, values = _mark(database), f"(1, {literal(step)}, {literal(kept)})"
    await server.ask(
        f"CREATE TABLE IF NOT EXISTS {mark} {_COLUMNS}",
        f"REPLACE INTO {mark} VALUES {values}",  # noqa: S608
    )


async def _forget(server: Server, database: str) -> None:
    await server.ask(f"DROP TABLE IF EXISTS {_mark(database)}")


def _mark(database: str) -> str:
    return f"{identifier(database)}.{identifier(MARK)}"
