"""The databases port in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from berthmaster.domain.domainpolicy import DomainRow, RowChange
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.spec import RowSource
from berthmaster.ports.databases import RestorePoint
from berthmaster.testing.world import FakeEngine


@dataclass(slots=True)
class Contents:
    """The databases of one container: a word for what is in each, by name."""

    databases: dict[str, str] = field(default_factory=lambda: {"postgres": "first"})


class FakeDatabases:
    """`ports.databases.Databases` whose databases are words; tests read and change `contents`."""

    def __init__(self, world: FakeEngine | None = None) -> None:
        self.world = world or FakeEngine()
        self.points_taken: dict[tuple[Path, str], RestorePoint] = {}
        self.dumped: dict[tuple[Path, str], dict[str, str]] = {}
        self.passwords: dict[str, str] = {}  # by container; those that were set
        self.contents: dict[str, Contents] = {}
        self.answers: dict[str, tuple[tuple[str, ...], ...]] = {}  # by SQL
        self.rows: dict[str, tuple[DomainRow, ...]] = {}  # by container

    def can_dump(self, image: str, environment: Mapping[str, str]) -> bool:
        is_told = {"PGDATA", "MARIADB_VERSION"} & set(environment)
        return bool(is_told) or any(word in image for word in ("postgres", "mariadb", "mysql"))

    def inside(self, container: str) -> dict[str, str]:
        """The databases of a container, which survive it: they lie in its volume."""
        return self.contents.setdefault(container, Contents()).databases

    async def take(self, container: str, folder: Path, name: str) -> RestorePoint:
        with self.world.calling("databases.take", container):
            if (folder, name) in self.points_taken:
                return self.points_taken[folder, name]
            self._check_running(container)
            names = tuple(sorted(self.inside(container)))
            taken_at = datetime(2026, 1, 1, tzinfo=UTC)
            point = RestorePoint(
                name, folder / name, 1000, ", ".join(names), names, container, taken_at
            )
            self.dumped[folder, name] = dict(self.inside(container))
            return self.points_taken.setdefault((folder, name), point)

    def points(self, folder: Path) -> tuple[RestorePoint, ...]:
        found = [point for (where, _), point in self.points_taken.items() if where == folder]
        return tuple(reversed(found))

    async def restore_into(
        self, container: str, folder: Path, name: str, database: str, into: str
    ) -> str:
        with self.world.calling("databases.restore_into", container):
            self._check_running(container)
            dumped = self.dumped.get((folder, name), {})
            if database not in dumped:
                raise OutsideError(f"no restore point {name} holds {database}", subject=name)
            self.inside(container)[into] = dumped[database]
            return "1 tables"

    async def swap(self, container: str, database: str, new: str, kept: str) -> None:
        with self.world.calling("databases.swap", container):
            self._check_running(container)
            inside = self.inside(container)
            if new not in inside and kept in inside:
                return
            if new not in inside or kept in inside:
                raise OutsideError(f"{container}: {new} cannot become {database}", subject=database)
            if database in inside:
                inside[kept] = inside.pop(database)
            inside[database] = inside.pop(new)

    async def set_password(self, container: str, password: str) -> None:
        with self.world.calling("databases.set_password", container):
            self._check_running(container)
            self.passwords[container] = password

    async def end_sessions(self, container: str, addresses: tuple[str, ...]) -> int:
        with self.world.calling("databases.end_sessions", container):
            self._check_running(container)
            self.world.ended_sessions.update(addresses)
            return 0

    async def domain_rows(self, container: str, source: RowSource) -> tuple[DomainRow, ...] | None:
        with self.world.calling("databases.domain_rows", container):
            self._check_running(container)
            return self.rows.get(container)

    async def change_domain_rows(
        self, container: str, source: RowSource, changes: Sequence[RowChange]
    ) -> None:
        with self.world.calling("databases.change_domain_rows", container):
            self._check_running(container)
            rows = {row.id: row for row in self.rows.get(container, ())}
            for item in changes:
                if rows.get(item.before.id) != item.before:
                    raise OutsideError(f"row {item.before.id} was changed", subject=container)
                if item.after is None:
                    del rows[item.before.id]
                else:
                    rows[item.before.id] = item.after
            self.rows[container] = tuple(rows.values())

    async def query(
        self, container: str, sql: str, database: str | None = None
    ) -> tuple[tuple[str, ...], ...]:
        with self.world.calling("databases.query", container):
            self._check_running(container)
            if not sql.strip().lower().startswith("select"):
                raise OutsideError(f"{container}: cannot run that read-only", subject=container)
            return self.answers.get(sql, ())

    async def drop(self, container: str, database: str) -> None:
        with self.world.calling("databases.drop", container):
            self._check_running(container)
            self.inside(container).pop(database, None)

    def _check_running(self, container: str) -> None:
        found = self.world.containers.get(container)
        if found is None or found.state != "running":
            raise OutsideError(f"{container} does not run", subject=container)
