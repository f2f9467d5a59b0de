"""Copies of the store, for the day when it is damaged; works without opening the store."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One copy."""

    path: Path
    taken_at: datetime


class Snapshots(Protocol):
    def kept(self) -> tuple[Snapshot, ...]:
        """Newest first."""
        ...

    def problems(self, path: Path | None = None) -> tuple[str, ...]:
        """What is wrong with a copy, or with the store itself; empty when it is sound."""
        ...

    def users(self) -> tuple[int, ...]:
        """Process numbers that have the store open."""
        ...

    def restore(self, source: Path) -> Path | None:
        """Put a copy in the store's place; returns where the old file was set aside.

        Raises `OutsideError`; then the old file is where it was.
        """
        ...
