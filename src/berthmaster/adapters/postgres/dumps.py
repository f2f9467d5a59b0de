"""Dumps every database of a PostgreSQL container with its own tools, over its own socket.

A restore point is a folder: `globals.sql` (roles), one `<database>.dump` in custom format each and
a `manifest.json` with sizes and hashes. It gets its name only when `pg_restore` in the container
has read every dump to its end and all is on disk; a folder that ends in `.part` never counts. No
password is needed on the socket and none is put anywhere.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from berthmaster.adapters.postgres import domainrows, errors, passwords, restore
from berthmaster.adapters.postgres.server import await_answer, connection, open_server
from berthmaster.domain.domainpolicy import DomainRow, RowChange
from berthmaster.domain.names import check_name
from berthmaster.domain.spec import RowSource
from berthmaster.ports.databases import RestorePoint
from berthmaster.ports.runtime import Runtime

MANIFEST: Final = "manifest.json"
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
        final = folder / check_name("service", name)
        if not (final / MANIFEST).is_file():
            try:
                await self._write(container, folder, final)
            except OSError as exc:
                raise errors.not_written(container, folder, exc) from exc
        return _read_point(final)

    def points(self, folder: Path) -> tuple[RestorePoint, ...]:
        try:
            found = [_read_point(path.parent) for path in folder.glob(f"*/{MANIFEST}")]
        except OSError as exc:
            raise errors.not_read(folder, exc) from exc
        whole = [point for point in found if not point.name.endswith(".part")]
        return tuple(sorted(whole, key=lambda point: str(point.taken_at), reverse=True))

    async def restore_into(
        self, container: str, folder: Path, name: str, database: str, into: str
    ) -> str:
        server = await open_server(self._runtime, container)
        point = folder / check_name("service", name)
        try:
            dump, roles = _checked_files(point, database)
        except OSError as exc:
            raise errors.not_read(point, exc) from exc
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

    async def _write(self, container: str, folder: Path, final: Path) -> None:
        _make_private(folder)
        part = Path(tempfile.mkdtemp(prefix=f"{final.name}-", suffix=".part", dir=folder))
        try:
            await self._fill(container, part)
            _publish(part, final)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    async def _fill(self, container: str, part: Path) -> None:
        found = await self._runtime.container(container)
        server = await open_server(self._runtime, container)
        await server.run("pg_dumpall", "--globals-only", into=part / GLOBALS)
        databases = await server.databases()
        for database in databases:
            path = part / file_name(database)
            await server.run("pg_dump", "--format=custom", connection(database), into=path)
            # NOTE: `-l` reads only the list in front; writing the script away reads all.
            await server.run("pg_restore", "--file=/dev/null", source=path, has_login=False)
        _write_manifest(
            part,
            {
                "container": container,
                "image_id": found.image_id if found else "",
                "version": await server.version(),
                "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "databases": {database: file_name(database) for database in databases},
            },
        )


def _checked_files(point: Path, database: str) -> tuple[Path, str]:
    """The dump of a database and the roles, both as they were when they were verified."""
    manifest = json.loads((point / MANIFEST).read_text())
    file = manifest["databases"].get(database)
    if file is None:
        raise errors.not_in_point(point.name, database, tuple(manifest["databases"]))
    for part in (file, GLOBALS):
        if _describe(point / part) != manifest["files"][part]:
            raise errors.damaged(point.name, part)
    return point / file, (point / GLOBALS).read_text()


def file_name(database: str) -> str:
    """A database may be called anything; a file may not."""
    return f"{quote(database, safe='')}.dump"


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write_manifest(part: Path, facts: Mapping[str, Any]) -> None:
    files = {path.name: _describe(path) for path in sorted(part.iterdir())}
    path = part / MANIFEST
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({**facts, "files": files}, file, indent=2)


def _describe(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"size_bytes": path.stat().st_size, "sha256": digest}


def _publish(part: Path, final: Path) -> None:
    """All on disk first, then the name: a power cut leaves a `.part` or a whole restore point."""
    for path in (*part.iterdir(), part):
        _sync(path)
    if final.is_dir():
        shutil.rmtree(final)  # without a manifest it never counted
    part.rename(final)
    _sync(final.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_point(final: Path) -> RestorePoint:
    manifest = json.loads((final / MANIFEST).read_text())
    size_bytes = sum(file["size_bytes"] for file in manifest["files"].values())
    databases = tuple(manifest["databases"])
    return RestorePoint(
        final.name,
        final,
        size_bytes,
        ", ".join(databases),
        databases,
        manifest["container"],
        datetime.fromisoformat(manifest["taken_at"]),
    )
