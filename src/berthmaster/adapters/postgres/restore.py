"""Puts one dump into a new database and swaps names; the old database is only renamed.

Owner, encoding, locale, grants and settings of the database itself are no part of a dump in custom
format: the new database takes them from the one whose name it will have.
"""

import re
import tempfile
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from berthmaster.adapters.dumps import errors
from berthmaster.adapters.postgres.server import (
    DUMP_SECONDS,
    Server,
    connection,
    identifier,
    literal,
)

# An entry of `pg_restore --list`: `215; 1259 16385 TABLE public orders shop`.
_TABLE: Final = re.compile(r"^\d+; \d+ \d+ TABLE (?!DATA |ATTACH )", re.M)
_ROLE: Final = re.compile(r'^CREATE ROLE ("(?:[^"]|"")+"|\S+);$', re.M)
_COUNT_TABLES: Final = """
    SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND nspname <> 'information_schema' AND nspname !~ '^pg_'
    AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
        AND deptype = 'e')
"""
_CREATE: Final = """
    SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L'
            ' LC_CTYPE %L', {into}, pg_get_userbyid(datdba), pg_encoding_to_char(encoding),
            datcollate, datctype)
        || CASE WHEN to_jsonb(d) ->> 'datlocprovider' = 'i' THEN
            format(' LOCALE_PROVIDER icu ICU_LOCALE %L',
                coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale'))
        ELSE '' END
    FROM pg_database d WHERE datname = {database}
"""
_COPY_RIGHTS: Final = """
DECLARE one record;
BEGIN
    FOR one IN SELECT datconnlimit FROM pg_database WHERE datname = {database} LOOP
        EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT %s', {into}, one.datconnlimit);
    END LOOP;
    IF EXISTS (SELECT FROM pg_database WHERE datname = {database} AND datacl IS NOT NULL) THEN
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', {into});
    END IF;
    FOR one IN SELECT (aclexplode(datacl)).* FROM pg_database WHERE datname = {database} LOOP
        EXECUTE format('GRANT %s ON DATABASE %I TO %s%s', one.privilege_type, {into},
            CASE WHEN one.grantee = 0 THEN 'PUBLIC'
                ELSE quote_ident(pg_get_userbyid(one.grantee)) END,
            CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    INSERT INTO pg_db_role_setting (setdatabase, setrole, setconfig)
        SELECT fresh.oid, setrole, setconfig
        FROM pg_db_role_setting JOIN pg_database old ON old.oid = setdatabase,
            pg_database fresh
        WHERE old.datname = {database} AND fresh.datname = {into};
END
"""
_END_SESSIONS: Final = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname IN ({names})
"""


_END_SESSIONS_FROM: Final = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND client_addr IN ({addresses})
"""


async def restore_roles(server: Server, text: str) -> None:
    """Make the roles that a dump of globals has and the server lacks; the others stay as they are.

    A password that was changed since is not changed back.
    """
    known = set((await server.ask("SELECT quote_ident(rolname) FROM pg_roles")).splitlines())
    missing = [name for name in _ROLE.findall(text) if name not in known]
    starts = tuple(
        start
        for name in missing
        for start in (f"CREATE ROLE {name};", f"ALTER ROLE {name} ", f"GRANT {name} TO ")
    )
    members = tuple(f" TO {name}" for name in missing)
    lines = [
        line
        for line in text.splitlines()
        if line.startswith(starts)
        or (line.startswith("GRANT ") and any(member in line for member in members))
    ]
    if not missing:
        return
    # NOTE: password hashes are in it: a private file, never an argument.
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write("\n".join([*lines, ""]))
        script.flush()
        await server.run(
            "psql",
            *("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", connection("template1")),
            source=Path(script.name),
        )


async def restore_database(server: Server, dump: Path, database: str, into: str) -> str:
    """Fill a new database from a dump, all or nothing; returns what was found."""
    await drop(server, into)
    names = {"database": literal(database), "into": literal(into)}
    create = (await server.ask(_CREATE.format(**names))).strip()
    await server.ask(create or f"CREATE DATABASE {identifier(into)} TEMPLATE template0")
    await server.run(
        "pg_restore", "--exit-on-error", "--single-transaction", connection(into), source=dump
    )
    found, wanted = await _count_tables(server, into), await _count_dumped(server, dump)
    if found != wanted:
        raise errors.incomplete(server.container, into, found, wanted)
    await server.ask("ANALYZE", database=into, seconds=DUMP_SECONDS)
    await server.ask(f"DO {literal(_COPY_RIGHTS.format(**names))}")
    return f"{wanted} tables in {into}, verified"


async def swap(server: Server, database: str, new: str, kept: str) -> None:
    """Rename both in one transaction, with nobody connected."""
    there = set((await server.ask("SELECT datname FROM pg_database")).split("\n"))
    if new not in there and kept in there:
        await _open(server, there & {database, kept})
        return
    if new not in there or kept in there:
        raise errors.not_swappable(server.container, new, database)
    renames = [(database, kept)] if database in there else []
    renames.append((new, database))
    try:
        for name, _ in renames:
            await server.ask(f"ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS false")
        names = ", ".join(literal(name) for name, _ in renames)
        await server.ask(_END_SESSIONS.format(names=names))
        await server.ask(
            "; ".join(
                f"ALTER DATABASE {identifier(old)} RENAME TO {identifier(name)}"
                for old, name in renames
            )
        )
    finally:
        there = set((await server.ask("SELECT datname FROM pg_database")).split("\n"))
        await _open(server, there & {database, new, kept})


async def drop(server: Server, database: str) -> None:
    """End its sessions and remove it; one that is not there is no error."""
    await server.ask(
        _END_SESSIONS.format(names=literal(database)),
        f"DROP DATABASE IF EXISTS {identifier(database)}",
        seconds=DUMP_SECONDS,
    )


async def end_sessions(server: Server, addresses: tuple[str, ...]) -> int:
    """End the sessions whose client has one of these addresses; returns how many there were."""
    if not addresses:
        return 0
    # NOTE: parsed, so that what is written into the statement is an address and nothing else.
    wanted = ", ".join(f"{literal(str(ip_address(item)))}::inet" for item in addresses)
    return len((await server.ask(_END_SESSIONS_FROM.format(addresses=wanted))).split())


async def _open(server: Server, databases: set[str]) -> None:
    for name in sorted(databases):
        await server.ask(f"ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS true")


async def _count_tables(server: Server, database: str) -> int:
    return int(await server.ask(_COUNT_TABLES, database=database))


async def _count_dumped(server: Server, dump: Path) -> int:
    with tempfile.NamedTemporaryFile("r", suffix=".list") as listing:
        path = Path(listing.name)
        await server.run("pg_restore", "--list", source=dump, into=path, has_login=False)
        return len(_TABLE.findall(_text_of(path)))


def _text_of(path: Path) -> str:
    return path.read_text()
