"""Dumping a database from inside its own container."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RestorePoint:
    name: str
    path: Path  # a folder
    size_bytes: int
    database: str  # the databases in it, by comma


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
