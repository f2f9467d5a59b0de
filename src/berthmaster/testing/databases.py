"""The databases port in memory."""

from collections.abc import Mapping
from pathlib import Path

from berthmaster.domain.errors import OutsideError
from berthmaster.ports.databases import RestorePoint
from berthmaster.testing.world import FakeEngine


class FakeDatabases:
    """`ports.databases.Databases` that dumps nothing and remembers what it was asked for."""

    def __init__(self, world: FakeEngine | None = None) -> None:
        self.world = world or FakeEngine()
        self.points: dict[tuple[Path, str], RestorePoint] = {}

    def can_dump(self, image: str, environment: Mapping[str, str]) -> bool:
        return "postgres" in image or "PGDATA" in environment

    async def take(self, container: str, folder: Path, name: str) -> RestorePoint:
        with self.world.calling("databases.take", container):
            found = self.world.containers.get(container)
            if (folder, name) not in self.points and (found is None or found.state != "running"):
                raise OutsideError(f"{container} does not run", subject=container)
            point = RestorePoint(name, folder / name, 1000, "postgres")
            return self.points.setdefault((folder, name), point)
