"""Dumps every database of a PostgreSQL container with its own tools, over its own socket.

A restore point has `globals.sql` (roles) and one `<database>.dump` in custom format each; it counts
when `pg_restore` in the container has read every dump to its end. No password is needed on the
socket and none is put anywhere.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.dumps import point
from berthmaster.adapters.postgres import domainrows, passwords, restore
from berthmaster.adapters.postgres.server import await_answer, connection, open_server
from berthmaster.domain.domainpolicy import DomainRow, RowChange
from berthmaster.domain.spec import RowSource
from berthmaster.ports.databases import RestorePoint
from berthmaster.ports.runtime import Runtime

GLOBALS: Final = "globals.sql"
_IMAGES: Final = ("postgres", "postgis", "timescale", "pgvector")


class PostgresDumps:
    """`ports.databases.Databases` for PostgreSQL images, through the runtime's exec."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def can_dump(self, image: str, environment: Mapping[str, str]) -> bool:
        name = image.partition("@")[0].lower()
        # NOTE: applications carry POSTGRES_* too, to reach their database; servers have PGDATA.
        return any(word in name for word in _IMAGES) or "PGDATA" in environment

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
        dump, roles, _ = point.checked_files(folder, name, database, GLOBALS)
        await await_answer(server)  # without a healthcheck nobody has waited for more than it runs
        await restore.restore_roles(server, roles)
        return await restore.restore_database(server, dump, database, into)

    async def swap(self, container: str, database: str, new: str, kept: str) -> None:
        await restore.swap(await open_server(self._runtime, container), database, new, kept)

    async def set_password(self, container: str, password: str) -> None:
        await passwords.set_password(await open_server(self._runtime, container), password)

    async def end_sessions(self, container: str, addresses: tuple[str, ...]) -> int:
        return await restore.end_sessions(await open_server(self._runtime, container), addresses)

    async def domain_rows(self, container: str, source: RowSource) -> tuple[DomainRow, ...] | None:
        return await domainrows.read(await open_server(self._runtime, container), source)

    async def change_domain_rows(
        self, container: str, source: RowSource, changes: Sequence[RowChange]
    ) -> None:
        await domainrows.change(await open_server(self._runtime, container), source, changes)

    async def query(
        self, container: str, sql: str, database: str | None = None
    ) -> tuple[tuple[str, ...], ...]:
        return await domainrows.query(await open_server(self._runtime, container), sql, database)

    async def drop(self, container: str, database: str) -> None:
        await restore.drop(await open_server(self._runtime, container), database)

    async def _fill(self, container: str, part: Path) -> Mapping[str, Any]:
        found = await self._runtime.container(container)
        server = await open_server(self._runtime, container)
        await server.run("pg_dumpall", "--globals-only", into=part / GLOBALS)
        databases = await server.databases()
        for database in databases:
            path = part / point.file_name(database)
            await server.run("pg_dump", "--format=custom", connection(database), into=path)
            # NOTE: `-l` reads only the list in front; writing the script away reads all.
            await server.run("pg_restore", "--file=/dev/null", source=path, has_login=False)
        return {
            "container": container,
            "image_id": found.image_id if found else "",
            "version": await server.version(),
            "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "databases": {database: point.file_name(database) for database in databases},
        }
