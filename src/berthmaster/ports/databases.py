"""Dumping a database from inside its own container."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from berthmaster.domain.domainpolicy import DomainRow, RowChange
from berthmaster.domain.spec import RowSource


@dataclass(frozen=True, slots=True)
class RestorePoint:
    name: str
    path: Path  # a folder
    size_bytes: int
    database: str  # the databases in it, by comma
    databases: tuple[str, ...] = ()
    container: str = ""  # that it was taken from
    taken_at: datetime | None = None


class Databases(Protocol):
    """Knows the databases that Berthmaster can dump and verify."""

    def can_dump(self, image: str, environment: Mapping[str, str]) -> bool:
        """Whether a container of this image, with these variables, is a database we know."""
        ...

    async def take(self, container: str, folder: Path, name: str) -> RestorePoint:
        """Dump in custom format, verify with the database's own tool, then give it its final name.

        Raises `OutsideError`; an unverified dump never counts. Taking it twice keeps the first.
        """
        ...

    def points(self, folder: Path) -> tuple[RestorePoint, ...]:
        """The whole restore points in a folder, newest first; none when there is no folder."""
        ...

    async def restore_into(
        self, container: str, folder: Path, name: str, database: str, into: str
    ) -> str:
        """Restore `database` of the restore point `name` into the new database `into`.

        All or nothing, and verified; roles that are missing come back first. What an earlier try
        left under that name is replaced. Returns what was found, in words. Raises `OutsideError`.
        """
        ...

    async def swap(self, container: str, database: str, new: str, kept: str) -> None:
        """Rename `database` to `kept` and `new` to `database`, both or neither.

        Ends every connection to them. Swapped already (there is no `new`, and `kept` is there) is
        no error. Raises `OutsideError`.
        """
        ...

    async def set_password(self, container: str, password: str) -> None:
        """Give the user that the image made this password; it is in no argument and no log.

        Open connections stay open. Setting it twice is no error. Raises `OutsideError`.
        """
        ...

    async def end_sessions(self, container: str, addresses: tuple[str, ...]) -> int:
        """End every session that a client at one of these addresses has; returns how many.

        A statement goes on after its client was killed, and holds its locks until it ends.
        Raises `OutsideError`.
        """
        ...

    async def domain_rows(self, container: str, source: RowSource) -> tuple[DomainRow, ...] | None:
        """What the app's own table of domains holds; None when there is no such table yet.

        Read-only, whatever the SQL says. Raises `OutsideError`, and `NotAllowed` for SQL that does
        not give the four columns.
        """
        ...

    async def change_domain_rows(
        self, container: str, source: RowSource, changes: Sequence[RowChange]
    ) -> None:
        """Make the changes in this order and in one transaction.

        Raises `OutsideError`, with nothing changed, when a row is not as it was before.
        """
        ...

    async def query(
        self, container: str, sql: str, database: str | None = None
    ) -> tuple[tuple[str, ...], ...]:
        """The rows of one SELECT as text, run read-only; of the image's own database by default.

        Raises `OutsideError`, for SQL that would change something too.
        """
        ...

    async def drop(self, container: str, database: str) -> None:
        """Remove a database that `restore_into` made; one that is not there is no error."""
        ...
