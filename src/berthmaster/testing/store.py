"""The store's twin is the store: SQLite in memory keeps every rule that the file keeps.

A second implementation would have to repeat transactions, unique indexes and fences, and could lie
about them. It is looked up by name because this package and the adapters do not import each other.
"""

import pkgutil

from berthmaster.ports.clock import Clock
from berthmaster.ports.store import Store


def memory_store(clock: Clock, *, block: str = "10.201.0.0/16", pool_slots: int = 1000) -> Store:
    """Make an empty store that is gone with the test."""
    store: Store = pkgutil.resolve_name("berthmaster.adapters.store:SqliteStore")(
        ":memory:", block=block, clock=clock, pool_slots=pool_slots
    )
    return store
