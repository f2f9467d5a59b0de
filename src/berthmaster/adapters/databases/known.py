"""Asks the adapter that knows a container's database; the image tells which one that is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from berthmaster.adapters.dumps.point import read_points
from berthmaster.domain.domainpolicy import DomainRow, RowChange
from berthmaster.domain.spec import RowSource
from berthmaster.ports.databases import Databases, RestorePoint
from berthmaster.ports.runtime import Runtime


class KnownDatabases:
    """`ports.databases.Databases` over several; the first one is asked where none is known."""

    def __init__(self, runtime: Runtime, *known: Databases) -> None:
        self._runtime = runtime
        self._known = known

    def can_dump(self, image: str, environment: Mapping[str, str]) -> bool:
        return any(one.can_dump(image, environment) for one in self._known)

    async def take(self, container: str, folder: Path, name: str) -> RestorePoint:
        return await (await self._of(container)).take(container, folder, name)

    def points(self, folder: Path) -> tuple[RestorePoint, ...]:
        return read_points(folder)

    async def restore_into(
        self, container: str, folder: Path, name: str, database: str, into: str
    ) -> str:
        one = await self._of(container)
        return await one.restore_into(container, folder, name, database, into)

    async def swap(self, container: str, database: str, new: str, kept: str) -> None:
        await (await self._of(container)).swap(container, database, new, kept)

    async def set_password(self, container: str, password: str) -> None:
        await (await self._of(container)).set_password(container, password)

    async def end_sessions(self, container: str, addresses: tuple[str, ...]) -> int:
        return await (await self._of(container)).end_sessions(container, addresses)

    async def domain_rows(self, container: str, source: RowSource) -> tuple[DomainRow, ...] | None:
        return await (await self._of(container)).domain_rows(container, source)

    async def change_domain_rows(
        self, container: str, source: RowSource, changes: Sequence[RowChange]
    ) -> None:
        await (await self._of(container)).change_domain_rows(container, source, changes)

    async def query(
        self, container: str, sql: str, database: str | None = None
    ) -> tuple[tuple[str, ...], ...]:
        return await (await self._of(container)).query(container, sql, database)

    async def drop(self, container: str, database: str) -> None:
        await (await self._of(container)).drop(container, database)

    async def _of(self, container: str) -> Databases:
        """By the names that its image has, and what the image says of itself."""
        found = await self._runtime.container(container)
        image = await self._runtime.image(found.image_id) if found else None
        names = [found.image if found else ""]
        names += [*image.tags, *image.repo_digests] if image else []
        values = image.environment if image else {}
        fitting = (one for name in names for one in self._known if one.can_dump(name, values))
        return next(fitting, self._known[0])
