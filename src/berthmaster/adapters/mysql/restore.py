"""Fills a new database from a dump, and ends whatever stands in the way of one.

Events of a database that is not the app's own do not run: those that were on are parked as those of
a replica are, and switched on when the database takes its place.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Final

from berthmaster.adapters.dumps import errors
from berthmaster.adapters.mysql import errors as own
from berthmaster.adapters.mysql.server import Server, identifier, literal
from berthmaster.domain.errors import OutsideError

_TABLE: Final = b"-- Table structure for table "
_END: Final = b"-- Dump completed"
_TABLES: Final = (
    "SELECT count(*) FROM information_schema.tables WHERE table_schema = {schema}"
    " AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND table_name <> {without}"
)
_EVENTS: Final = (
    "SELECT event_name FROM information_schema.events"
    " WHERE event_schema = {schema} AND status IN ({states})"
)
_PARKED: Final = ("SLAVESIDE_DISABLED", "REPLICA_SIDE_DISABLED")
_GONE: Final = "Unknown thread id"  # it ended by itself


async def restore_database(server: Server, dump: Path, into: str, collation: str) -> str:
    """Fill a new database, all or nothing; returns what was found."""
    await make_empty(server, into, collation)
    try:
        wanted = count_dumped(server, dump)
        await server.load(dump, into)
        await park_events(server, into)
        found = await count_tables(server, into)
        if found != wanted:
            raise errors.incomplete(server.container, into, found, wanted)
    except OutsideError:
        await drop(server, into)
        raise
    return f"{wanted} tables in {into}, verified"


async def make_empty(server: Server, database: str, collation: str) -> None:
    """A new database under this name; what had it is gone."""
    await drop(server, database)
    await server.ask(f"CREATE DATABASE {identifier(database)} COLLATE {literal(collation)}")


async def collation_of(server: Server, database: str) -> str:
    """The collation of what names none; it tells the character set, too."""
    query = "SELECT default_collation_name FROM information_schema.schemata"
    return (await server.ask(f"{query} WHERE schema_name = {literal(database)}"))[0]


def count_dumped(server: Server, dump: Path) -> int:
    """How many tables a dump holds; it is read to its end, which must be one."""
    count, last = 0, b""
    with dump.open("rb") as file:
        for line in file:
            count += line.startswith(_TABLE)
            last = line if line.strip() else last
    if not last.startswith(_END):
        raise own.unfinished(server.container, dump.name)
    return count


async def count_tables(server: Server, database: str, *, without: str = "") -> int:
    """How many tables there are, but for one."""
    values = {"schema": literal(database), "without": literal(without)}
    return int((await server.ask(_TABLES.format(**values)))[0])


async def park_events(server: Server, database: str) -> None:
    """None runs until it is woken."""
    await _change_events(server, database, ("ENABLED",), "DISABLE ON SLAVE")


async def wake_events(server: Server, database: str) -> None:
    """Those that were on run again."""
    await _change_events(server, database, _PARKED, "ENABLE")


async def drop(server: Server, database: str) -> None:
    """End its sessions and remove it; one that is not there is no error."""
    await end_sessions_in(server, database)
    await server.ask(
        "SET lock_wait_timeout = 20", f"DROP DATABASE IF EXISTS {identifier(database)}"
    )


async def end_sessions_in(server: Server, *databases: str) -> None:
    """End every session that works in one of these."""
    names = ", ".join(map(literal, databases))
    await _end(server, f"db IN ({names})")


async def end_sessions(server: Server, addresses: tuple[str, ...]) -> int:
    """End the sessions whose client has one of these addresses; returns how many there were."""
    if not addresses:
        return 0
    # NOTE: parsed, so that what is written into the statement is an address and nothing else.
    wanted = [f"host LIKE {literal(f'{ip_address(item)}:%')}" for item in addresses]
    return await _end(server, f"({' OR '.join(wanted)})")


async def _end(server: Server, condition: str) -> int:
    found = await server.ask(
        "SELECT id FROM information_schema.processlist"  # noqa: S608 - of literals only
        f" WHERE id <> connection_id() AND user <> 'system user' AND {condition}"
    )
    for number in found:
        try:
            await server.ask(f"KILL {int(number)}")
        except OutsideError as error:
            if _GONE not in error.message:
                raise
    return len(found)


async def _change_events(server: Server, database: str, states: tuple[str, ...], verb: str) -> None:
    listed = ", ".join(map(literal, states))
    for name in await server.ask(_EVENTS.format(schema=literal(database), states=listed)):
        await server.ask(f"ALTER EVENT {identifier(database)}.{identifier(name)} {verb}")
