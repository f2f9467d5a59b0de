"""Stacks and the audit trail."""

import sqlite3
from datetime import timedelta

import pytest
from tests.unit.adapters.store.support import SHOP, SetClock, add_releases, plan

from berthmaster.adapters.store import SqliteStore
from berthmaster.domain.deployment import DeploymentState
from berthmaster.domain.errors import NotAllowed
from berthmaster.domain.names import StackId
from berthmaster.ports.store import Event, StackRecord


def test_a_stack_is_added_once_and_notes_its_new_folder(store: SqliteStore) -> None:
    store.add_stack(SHOP, "/srv/old")
    store.set_maintenance(SHOP, True)
    store.add_stack(SHOP, "/srv/new")
    assert store.stacks() == (StackRecord(SHOP, "/srv/new", None, is_in_maintenance=True),)


def test_a_hold_is_noted_with_its_reason_and_lifted(store: SqliteStore) -> None:
    store.add_stack(SHOP, "/srv/shop")
    store.set_hold(SHOP, "audit until Friday")
    held = store.stack(SHOP)
    store.set_hold(SHOP, None)
    lifted = store.stack(SHOP)
    assert held is not None
    assert lifted is not None
    assert (held.held_because, lifted.held_because) == ("audit until Friday", None)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (StackId("shop", "prod", "acme"), StackId("shop-prod", "acme")),
        (StackId("shop", "prod"), StackId("shop-prod", "r7")),
        (StackId("shop-prod", "r7"), StackId("shop", "prod")),
    ],
)
def test_a_project_name_that_would_be_mixed_up_is_refused(
    store: SqliteStore, first: StackId, second: StackId
) -> None:
    store.add_stack(first, "/srv/a")
    with pytest.raises(NotAllowed, match=str(first)):
        store.add_stack(second, "/srv/b")
    assert store.stack(second) is None


def test_forgetting_leaves_the_events_a_tombstone_and_the_running_deployment(
    store: SqliteStore,
) -> None:
    add_releases(store, 7)
    store.record(Event(SetClock().now(), "ann", str(SHOP), "release_switched"))
    fence = store.acquire_lease(str(SHOP), holder="ann", seconds=60).fence
    made = store.open_deployment(
        SHOP, verb="destroy", plan=plan(), release=None, actor="ann@web1", fence=fence
    )
    for _ in range(2):
        store.forget_stack(SHOP)
    assert (store.stack(SHOP), store.release(SHOP, 7), store.releases(SHOP)) == (None, None, ())
    assert [(one.what, one.actor) for one in store.events(SHOP)] == [
        ("stack_forgotten", "ann@web1"),
        ("release_switched", "ann"),
    ]
    store.change_state(made.id, DeploymentState.PLANNED, DeploymentState.APPLYING, fence=fence)


def test_events_come_newest_first_of_one_stack_or_of_all(
    store: SqliteStore, clock: SetClock
) -> None:
    events = [
        Event(clock.now() + timedelta(seconds=number), "ann", stack, "noted", str(number))
        for number, stack in enumerate([str(SHOP), None, "shop@stage"])
    ]
    for event in events:
        store.record(event)
    assert store.events(None) == tuple(reversed(events))
    assert store.events(SHOP) == (events[0],)
    assert store.events(None, limit=1) == (events[2],)


@pytest.mark.parametrize("sql", ["UPDATE events SET actor = 'x'", "DELETE FROM events"])
def test_nobody_can_change_or_remove_an_event(store: SqliteStore, sql: str) -> None:
    event = Event(SetClock().now(), "ann", None, "noted")
    store.record(event)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        store._database.write(sql)
    assert store.events(None) == (event,)
