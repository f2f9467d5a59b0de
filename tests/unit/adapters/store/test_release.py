"""Releases: numbered for ever, immutable, one live."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from tests import builders
from tests.unit.adapters.store.support import (
    ANY_RELEASE,
    SHOP,
    SetClock,
    add_releases,
    make_store,
)

from berthmaster.adapters.store import SqliteStore
from berthmaster.domain.errors import Bug, LeaseLost, NotFound
from berthmaster.domain.release import Release
from berthmaster.domain.releasestate import ReleaseState


def states(store: SqliteStore) -> dict[int, ReleaseState]:
    return {one.number: one.state for one in store.releases(SHOP)}


def test_a_number_is_never_given_twice_not_even_after_the_stack_was_forgotten(
    store: SqliteStore,
) -> None:
    store.add_stack(SHOP, "/srv/shop")
    first, second = store.next_release_number(SHOP), store.next_release_number(SHOP)
    store.forget_stack(SHOP)
    store.add_stack(SHOP, "/srv/shop")
    assert (first, second, store.next_release_number(SHOP)) == (1, 2, 3)


def test_a_number_that_came_from_elsewhere_is_not_given_again(store: SqliteStore) -> None:
    add_releases(store, 12)
    assert store.next_release_number(SHOP) == 13


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(ANY_RELEASE)
def test_any_release_reads_back_as_it_was_written(release: Release) -> None:
    store = make_store(":memory:")
    store.add_stack(SHOP, "/srv/shop")
    store.add_release(release)
    assert store.release(SHOP, release.number) == release
    assert list(store.release_records()) == [release]
    store.close()


def test_the_same_release_twice_is_once_and_another_one_is_refused(store: SqliteStore) -> None:
    add_releases(store, 7)
    store.set_release_state(SHOP, 7, ReleaseState.RETIRED)
    store.add_release(builders.release(7))
    assert states(store) == {7: ReleaseState.RETIRED}
    with pytest.raises(Bug, match="other contents"):
        store.add_release(builders.release(7, tag="another"))


def test_a_release_of_an_unknown_stack_is_refused(store: SqliteStore) -> None:
    with pytest.raises(NotFound, match="not in the inventory"):
        store.add_release(builders.release(7))


def test_marking_live_makes_the_old_one_warm_and_leaves_the_others(
    store: SqliteStore, clock: SetClock
) -> None:
    add_releases(store, 5, 6, 7)
    store.set_release_state(SHOP, 5, ReleaseState.RETIRED)
    store.set_release_state(SHOP, 6, ReleaseState.LIVE)
    fence = store.acquire_lease(str(SHOP), holder="ann", seconds=60).fence
    until = clock.now() + timedelta(minutes=10)
    store.mark_live(SHOP, 7, old=6, warm_until=until, fence=fence)
    assert states(store) == {
        7: ReleaseState.LIVE,
        6: ReleaseState.WARM,
        5: ReleaseState.RETIRED,
    }
    assert [one.warm_until for one in store.releases(SHOP)] == [None, until, None]
    record = store.stack(SHOP)
    assert record is not None
    assert record.live == 7


def test_marking_live_twice_equals_once(store: SqliteStore, clock: SetClock) -> None:
    add_releases(store, 6, 7)
    fence = store.acquire_lease(str(SHOP), holder="ann", seconds=60).fence
    for _ in range(2):
        store.mark_live(SHOP, 7, old=6, warm_until=clock.now(), fence=fence)
    assert states(store) == {7: ReleaseState.LIVE, 6: ReleaseState.WARM}


def test_nothing_of_marking_live_stays_when_a_part_fails(store: SqliteStore) -> None:
    add_releases(store, 5, 6, 7)
    store.set_release_state(SHOP, 6, ReleaseState.LIVE)
    fence = store.acquire_lease(str(SHOP), holder="ann", seconds=60).fence
    before = states(store)
    with pytest.raises(Bug, match="beside another live"):
        store.mark_live(SHOP, 7, old=5, warm_until=None, fence=fence)
    with pytest.raises(NotFound, match="no release r9"):
        store.mark_live(SHOP, 9, old=6, warm_until=None, fence=fence)
    with pytest.raises(LeaseLost):
        store.mark_live(SHOP, 7, old=6, warm_until=None, fence=fence + 1)
    assert states(store) == before


def test_summaries_of_all_stacks_come_by_state(store: SqliteStore) -> None:
    add_releases(store, 6, 7)
    store.set_release_state(SHOP, 7, ReleaseState.LIVE)
    assert [one.number for one in store.live_releases()] == [7]
    assert [one.number for one in store.releases_in(ReleaseState.PREPARED)] == [6]
    assert [one.number for one in store.releases_in()] == [7, 6]


def test_a_live_release_is_not_removed_and_a_removed_one_gives_its_slots_back(
    store: SqliteStore,
) -> None:
    add_releases(store, 6, 7)
    store.set_release_state(SHOP, 7, ReleaseState.LIVE)
    store.reserve_slots(SHOP.release_key(6), 5)
    with pytest.raises(Bug, match="r7 is live"):
        store.remove_release(SHOP, 7)
    store.remove_release(SHOP, 6)
    assert states(store) == {7: ReleaseState.LIVE}
    assert store.reserve_slots(SHOP.release_key(7), 5) == (1, 2, 3, 4, 5)
