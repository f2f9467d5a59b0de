"""Dumping a database from inside its own container."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RestorePoint:
    name: str
    path: Path
    size_bytes: int
    database: str


class Databases(Protocol):
    """Knows the databases that Berthmaster can dump and verify; others are said to be unsupported."""

    def can_dump(self, image: str, environment: dict[str, str]) -> bool: ...

    async def take(self, container: str, folder: Path, name: str) -> RestorePoint:
        """Dump in custom format, verify with the database's own tool, then give it its final name.

        Raises `OutsideError`; an unverified dump never counts. Taking it twice keeps the first.
        """
        ...
