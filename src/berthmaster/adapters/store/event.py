"""The audit trail: rows are added, never changed or removed; triggers in the schema hold that."""

import sqlite3
from datetime import datetime

from berthmaster.adapters.store.part import Part
from berthmaster.domain.names import StackId
from berthmaster.ports.store import Event


class Events(Part):
    """The part of the store about the audit trail."""

    def record(self, event: Event) -> None:
        """Add a row, in the open transaction when there is one."""
        self._database.write(
            "INSERT INTO events (at, actor, stack, what, detail) VALUES (?, ?, ?, ?, ?)",
            *(event.at.isoformat(), event.actor, event.stack, event.what, event.detail),
        )

    def events(self, stack: StackId | None, limit: int = 50) -> tuple[Event, ...]:
        """The newest first, of one stack or of all."""
        rows = self._database.rows(
            "SELECT * FROM events WHERE ?1 IS NULL OR stack = ?1 ORDER BY id DESC LIMIT ?2",
            *(str(stack) if stack else None, limit),
        )
        return tuple(_event(row) for row in rows)

    def last_event(self, *whats: str) -> Event | None:
        """The newest of these kinds."""
        marks = ", ".join("?" for _ in whats)
        row = self._database.row_or_none(
            f"SELECT * FROM events WHERE what IN ({marks}) ORDER BY id DESC LIMIT 1",  # noqa: S608
            *whats,
        )
        return _event(row) if row else None


def _event(row: sqlite3.Row) -> Event:
    return Event(
        at=datetime.fromisoformat(row["at"]),
        actor=row["actor"],
        stack=row["stack"],
        what=row["what"],
        detail=row["detail"],
    )
