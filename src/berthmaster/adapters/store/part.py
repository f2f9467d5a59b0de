"""What every part of the store has: the connection and the clock."""

from datetime import datetime

from berthmaster.adapters.store.database import Database
from berthmaster.ports.clock import Clock


class Part:
    """One group of tables and the questions about them; `SqliteStore` is the sum."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def _now(self) -> str:
        return self._clock.now().isoformat()


def instant_or_none(text: str | None) -> datetime | None:
    """Read an instant as the tables hold it."""
    return datetime.fromisoformat(text) if text else None
