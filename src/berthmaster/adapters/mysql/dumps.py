"""Dumps every database of a MariaDB or MySQL container with its own tools.

A restore point has `accounts.json` (users, roles and what they may) and one `<database>.sql` each;
it counts when every dump has been read to the line that ends it. What follows a domain or a
password is PostgreSQL's alone and refused here.
"""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.dumps import point
from berthmaster.adapters.mysql import accounts, errors, restore, swapping
from berthmaster.adapters.mysql.server import await_answer, open_server
from berthmaster.domain.domainpolicy import DomainRow, RowChange
from berthmaster.domain.spec import RowSource
from berthmaster.ports.databases import RestorePoint
from berthmaster.ports.runtime import Runtime

ACCOUNTS: Final = "accounts.json"
_NAMES: Final = ("mariadb", "mysql")
_NO_SERVERS: Final = ("exporter", "router", "backup", "client", "proxy")
_NO_ENTRY: Final = (  # root's password is known to nobody but the database
    "MARIADB_RANDOM_ROOT_PASSWORD",
    "MYSQL_RANDOM_ROOT_PASSWORD",
    "MARIADB_ROOT_PASSWORD_HASH",
)
_VARIABLES: Final = ("MARIADB_VERSION", "MYSQL_VERSION")  # set by the official images


class MysqlDumps:
    """`ports.databases.Databases` for MariaDB and MySQL images, through the runtime's exec."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def can_dump(self, image: str, environment: Mapping[str, str]) -> bool:
        name = image.partition("@")[0].lower().rpartition("/")[2]
        is_named = any(word in name for word in _NAMES)
        is_told = any(word in environment for word in _VARIABLES)
        if any(word in name for word in _NO_SERVERS) or any(environment.get(n) for n in _NO_ENTRY):
            return False
        return is_named or is_told

    async def take(self, container: str, folder: Path, name: str) -> RestorePoint:
        async def fill(part: Path) -> Mapping[str, Any]:
            return await self._fill(container, part)

        return await point.take_point(container, folder, name, fill)

    def points(self, folder: Path) -> tuple[RestorePoint, ...]:
        return point.read_points(folder)

    async def restore_into(
        self, container: str, folder: Path, name: str, database: str, into: str
    ) -> str:
        server = await open_server(self._runtime, container)
        dump, known, manifest = point.checked_files(folder, name, database, ACCOUNTS)
        await await_answer(server)  # without a healthcheck nobody has waited for more than it runs
        left = await accounts.bring_back(server, json.loads(known))
        collation = str(manifest["collations"][database])
        return await restore.restore_database(server, dump, into, collation) + left

    async def swap(self, container: str, database: str, new: str, kept: str) -> None:
        await swapping.swap(await open_server(self._runtime, container), database, new, kept)

    async def set_password(self, container: str, password: str) -> None:
        raise errors.only_postgres("setting a password")

    async def end_sessions(self, container: str, addresses: tuple[str, ...]) -> int:
        server = await open_server(self._runtime, container)
        try:
            return await restore.end_sessions(server, addresses)
        except errors.NoEntry:
            return 0  # a statement that goes on to its end must not hold up who unwinds

    async def domain_rows(self, container: str, source: RowSource) -> tuple[DomainRow, ...] | None:
        raise errors.only_postgres("domains.source")

    async def change_domain_rows(
        self, container: str, source: RowSource, changes: Sequence[RowChange]
    ) -> None:
        raise errors.only_postgres("domains.source")

    async def query(
        self, container: str, sql: str, database: str | None = None
    ) -> tuple[tuple[str, ...], ...]:
        raise errors.only_postgres("a question in SQL")

    async def drop(self, container: str, database: str) -> None:
        await restore.drop(await open_server(self._runtime, container), database)

    async def _fill(self, container: str, part: Path) -> Mapping[str, Any]:
        found = await self._runtime.container(container)
        server = await open_server(self._runtime, container)
        _write_private(part / ACCOUNTS, json.dumps(await accounts.read(server), indent=2))
        databases = await server.databases()
        collations = {}
        for database in databases:
            if await swapping.is_begun(server, database):
                raise errors.under_way(container, database)
            path = part / point.file_name(database, "sql")
            await server.dump(database, path)
            restore.count_dumped(server, path)
            collations[database] = await restore.collation_of(server, database)
        return {
            "container": container,
            "image_id": found.image_id if found else "",
            "version": (await server.ask("SELECT version()"))[0],
            "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "databases": {name: point.file_name(name, "sql") for name in databases},
            "collations": collations,
        }


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
