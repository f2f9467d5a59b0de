"""A store in memory and its clock."""

from collections.abc import Iterator

import pytest
from tests.unit.adapters.store.support import SetClock, make_store

from berthmaster.adapters.store import SqliteStore


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(clock: SetClock) -> Iterator[SqliteStore]:
    store = make_store(":memory:", clock, pool_slots=5)
    yield store
    store.close()
