"""What every store keeps to: the file, and the same engine in memory that tests are given.

The rules themselves are proved in `tests/unit/adapters/store`; here, that both ways of opening it
behave alike.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from tests import builders
from tests.unit.adapters.store.support import SHOP, SetClock, plan

from berthmaster.adapters.store import SqliteStore
from berthmaster.domain.deployment import DeploymentState
from berthmaster.domain.errors import LeaseHeld, LeaseLost, NoAddressLeft, NotAllowed, NotFound
from berthmaster.domain.release import ReleaseRoute, Upstream
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.routing import Doorway, Naming
from berthmaster.domain.spec import RetentionSpec
from berthmaster.domain.tenancy import Domain, Tenant
from berthmaster.ports.store import Event, Store
from berthmaster.testing.store import memory_store


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        return memory_store(SetClock(), pool_slots=5)
    path = tmp_path / "store.db"
    return SqliteStore(path, block="10.201.0.0/16", clock=SetClock(), pool_slots=5)


def test_a_stack_lives_from_its_first_release_until_it_is_forgotten(store: Store) -> None:
    store.add_stack(SHOP, "/srv/shop")
    number = store.next_release_number(SHOP)
    store.add_release(builders.release(number))
    lease = store.acquire_lease(str(SHOP), holder="ann", seconds=60)
    store.mark_live(SHOP, number, old=None, warm_until=None, fence=lease.fence)
    assert [(one.number, one.state) for one in store.live_releases()] == [(1, ReleaseState.LIVE)]
    store.forget_stack(SHOP)
    assert (store.stacks(), store.live_releases()) == ((), ())


def test_only_the_newest_number_that_no_release_has_is_given_again(store: Store) -> None:
    store.add_stack(SHOP, "/srv/shop")
    first, second = store.next_release_number(SHOP), store.next_release_number(SHOP)
    store.give_number_back(SHOP, first)  # not the newest
    store.give_number_back(SHOP, second)
    assert store.next_release_number(SHOP) == second
    store.add_release(builders.release(second))
    store.give_number_back(SHOP, second)
    assert store.next_release_number(SHOP) == second + 1


def test_a_doorway_is_where_the_live_release_takes_visitors_in(store: Store) -> None:
    store.add_stack(SHOP, "/srv/shop")
    route = ReleaseRoute("/", "web", (Upstream("web", "10.201.0.2", 8000),))
    made = replace(builders.release(1, routes=(route,)), entrypoint="tls", naming=Naming.HEADER)
    store.add_release(made)
    assert store.doorway(SHOP) is None  # it does not serve yet
    lease = store.acquire_lease(str(SHOP), holder="ann", seconds=60)
    store.mark_live(SHOP, 1, old=None, warm_until=None, fence=lease.fence)
    found = store.doorway(SHOP)
    assert found == Doorway("tls", Naming.HEADER)
    assert found.claim("acme.test", "shop-prod").naming is Naming.HOST


def test_what_has_no_routes_has_no_doorway(store: Store) -> None:
    store.add_stack(SHOP, "/srv/shop")
    store.add_release(builders.release(1, routes=()))
    lease = store.acquire_lease(str(SHOP), holder="ann", seconds=60)
    store.mark_live(SHOP, 1, old=None, warm_until=None, fence=lease.fence)
    assert store.doorway(SHOP) is None


def test_retention_is_what_the_newest_release_says(store: Store) -> None:
    assert store.retention(SHOP) is None
    store.add_stack(SHOP, "/srv/shop")
    for number in (1, 2):
        kept = RetentionSpec(releases=number + 2, restore_points=number)
        store.add_release(replace(builders.release(number), retention=kept))
    assert store.retention(SHOP) == RetentionSpec(releases=4, restore_points=2)


def test_refusals_have_the_type_that_callers_decide_by(store: Store) -> None:
    lease = store.acquire_lease(str(SHOP), holder="ann", seconds=60)
    with pytest.raises(LeaseHeld):
        store.acquire_lease(str(SHOP), holder="bob", seconds=60)
    with pytest.raises(NoAddressLeft):
        store.reserve_slots("shop-prod/r1", 6)
    values = {"verb": "deploy", "plan": plan(), "release": None, "actor": "ann"}
    made = store.open_deployment(SHOP, **values, fence=lease.fence)  # type: ignore[arg-type]
    with pytest.raises(NotAllowed):
        store.open_deployment(SHOP, **values, fence=lease.fence)  # type: ignore[arg-type]
    store.release_lease(lease)
    with pytest.raises(LeaseLost):
        store.change_state(
            made.id, DeploymentState.PLANNED, DeploymentState.APPLYING, fence=lease.fence
        )


def test_a_snapshot_opens_as_a_store(store: Store, tmp_path: Path) -> None:
    store.add_stack(SHOP, "/srv/shop")
    store.snapshot(tmp_path / "copy.db")
    copy = SqliteStore(tmp_path / "copy.db", block="10.201.0.0/16", clock=SetClock())
    assert (copy.stacks(), copy.check()) == (store.stacks(), ())


def test_a_host_is_one_tenants_and_its_release_answers_it(store: Store) -> None:
    acme, beta = (replace(SHOP, tenant=slug) for slug in ("acme", "beta"))
    store.save_tenant(Tenant(acme))
    store.add_domain(Domain("acme.shop.test", acme, "acme"))
    with pytest.raises(NotAllowed):
        store.add_domain(Domain("acme.shop.test", beta, "beta"))
    store.add_stack(acme, "/srv/shop")
    store.add_release(replace(builders.release(1), stack=acme))
    found = store.release(acme, 1)
    assert found is not None
    assert found.hosts == ("acme.shop.test",)
    assert [item.stack for item in store.tenants("shop", "prod")] == [acme]


def test_a_record_is_rewritten_and_its_state_stays(store: Store) -> None:
    store.add_stack(SHOP, "/srv/shop")
    store.add_release(builders.release(1))
    store.set_release_state(SHOP, 1, ReleaseState.RETIRED)
    store.rewrite_release(replace(builders.release(1), tag="other"))
    found = store.release(SHOP, 1)
    assert found is not None
    assert (found.tag, found.state) == ("other", ReleaseState.RETIRED)
    with pytest.raises(NotFound):
        store.rewrite_release(builders.release(2))


def test_the_last_event_is_the_newest_of_the_kinds_asked_for(store: Store) -> None:
    assert store.last_event("a", "b") is None
    for what in ("a", "b", "a", "c"):
        store.record(Event(SetClock().now(), "ann", None, what, f"of {what}"))
    found = store.last_event("a", "b")
    assert found is not None
    assert (found.what, found.detail) == ("a", "of a")
