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
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from berthmaster.adapters.postgres import errors
from berthmaster.domain.container import ExecResult
from berthmaster.domain.names import check_name
from berthmaster.ports.databases import RestorePoint
from berthmaster.ports.runtime import Runtime

MANIFEST: Final = "manifest.json"
DUMP_SECONDS: Final = (
    3600.0  # 85 MB take about 1.3 s (limits.md 2.6): far beyond what one server holds
)
_QUERY_SECONDS: Final = 30.0
_IMAGES: Final = ("postgres", "postgis", "timescale", "pgvector")
_LIST: Final = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datallowconn ORDER BY 1"


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
        if found is None or not found.is_running:
            raise errors.not_running(container)
        server = _Server(self._runtime, container, await self._user(container))
        await server.run("pg_dumpall", "--globals-only", into=part / "globals.sql")
        databases = await server.databases()
        for database in databases:
            path = part / _file_name(database)
            await server.run("pg_dump", "--format=custom", _connection(database), into=path)
            # NOTE: `-l` reads only the list in front; writing the script away reads all.
            await server.run("pg_restore", "--file=/dev/null", source=path, has_login=False)
        _write_manifest(
            part,
            {
                "container": container,
                "image_id": found.image_id,
                "version": await server.version(),
                "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "databases": {database: _file_name(database) for database in databases},
            },
        )

    async def _user(self, container: str) -> str:
        """The superuser that the image made: from the container's own environment."""
        answer = await self._runtime.execute(container, ["printenv", "POSTGRES_USER"])
        if answer.exit_code == 0:
            return answer.output.strip()
        answer = await self._runtime.execute(container, ["printenv", "POSTGRES_USER_FILE"])
        if answer.exit_code == 0:
            answer = await self._runtime.execute(container, ["cat", answer.output.strip()])
        return answer.output.strip() if answer.exit_code == 0 else "postgres"


@dataclass(frozen=True, slots=True)
class _Server:
    """The PostgreSQL inside a container and the user that may read all of it."""

    runtime: Runtime
    container: str
    user: str

    async def databases(self) -> tuple[str, ...]:
        """Every database that is no template."""
        query = ("--no-psqlrc", "--tuples-only", "--no-align", "--dbname=template1")
        answer = await self.run("psql", *query, "--command", _LIST)
        return tuple(answer.output.split("\n")[:-1])

    async def version(self) -> str:
        """The server's tools' version: `15.18`."""
        answer = await self.run("pg_dump", "--version", has_login=False)
        return next((word for word in answer.output.split() if word[0].isdigit()), "")

    async def run(
        self,
        tool: str,
        *arguments: str,
        into: Path | None = None,
        source: Path | None = None,
        has_login: bool = True,
    ) -> ExecResult:
        """Run a tool without a prompt; raises `OutsideError` with what it said."""
        login: Sequence[str] = (f"--username={self.user}", "--no-password") if has_login else ()
        is_long = into is not None or source is not None
        answer = await self.runtime.execute(
            self.container,
            [tool, *login, *arguments],
            into=into,
            source=source,
            timeout_seconds=DUMP_SECONDS if is_long else _QUERY_SECONDS,
        )
        if answer.exit_code != 0:
            raise errors.failed(self.container, tool, answer.errors or answer.output)
        return answer


def _connection(database: str) -> str:
    """A name with `=` in it would be read as settings; quoted as one, any name is only a name."""
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"--dbname=dbname='{escaped}'"


def _file_name(database: str) -> str:
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
    return RestorePoint(final.name, final, size_bytes, ", ".join(manifest["databases"]))
