"""The gateway's table comes from the store, except for what is being changed."""

import asyncio

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.plan import Plan
from berthmaster.domain.routing import RouteTable
from berthmaster.planner.destroy import plan_destroy
from berthmaster.services.observe import observe_stack
from berthmaster.services.route_table import (
    claims_in_store,
    compare_tables,
    derive_table,
    wanted_table,
)


@pytest.fixture
def world() -> World:
    found = empty_world()
    asyncio.run(found.deploy(release(1)))
    asyncio.run(found.deploy(release(2)))
    return found


def table_of(world: World) -> RouteTable:
    return asyncio.run(world.router.table())


def test_the_derived_table_is_the_one_that_deployments_made(world: World) -> None:
    assert compare_tables(derive_table(world.outside), table_of(world)) == ()


def test_a_difference_is_said_in_words(world: World) -> None:
    asyncio.run(world.router.switch("shop-prod", "shop-prod/r1", fence=99))
    assert compare_tables(derive_table(world.outside), table_of(world)) == (
        "live release of shop-prod: the store says shop-prod/r2, the router has shop-prod/r1",
    )


def test_a_rebuild_leaves_a_stack_alone_that_is_being_changed(world: World) -> None:
    store = world.outside.store
    lease = store.acquire_lease(str(SHOP), holder="ann", seconds=60)
    plan = Plan(SHOP, "rollback", 2, 1, "", ())
    store.open_deployment(
        SHOP, verb="rollback", plan=plan, release=1, actor="ann", fence=lease.fence
    )
    asyncio.run(world.router.switch("shop-prod", "shop-prod/r1", fence=lease.fence))
    found = table_of(world)
    assert wanted_table(world.outside, found) == found


async def test_a_stack_that_is_being_destroyed_is_not_routed_again() -> None:
    world = empty_world()
    await world.deploy(release(1))
    store = world.outside.store
    lease = store.acquire_lease(str(SHOP), holder="ann", seconds=60)
    observed = await observe_stack(world.outside, SHOP)
    plan = plan_destroy(observed, numbers=(1,), removes_volumes=True)
    store.open_deployment(
        SHOP, verb="destroy", plan=plan, release=None, actor="ann", fence=lease.fence
    )
    detached = RouteTable()  # the router knows nothing of it, the store still does
    assert wanted_table(world.outside, detached) == detached


async def test_slots_that_a_change_gave_back_are_not_reserved_again(world: World) -> None:
    store = world.outside.store
    lease = store.acquire_lease(str(SHOP), holder="ann", seconds=60)
    plan = Plan(SHOP, "deploy", 1, 2, "", ())
    store.open_deployment(SHOP, verb="deploy", plan=plan, release=2, actor="ann", fence=lease.fence)
    before = store.reserve_slots("shop-prod/r1", 1)
    store.free_slots("shop-prod/r1")  # killed between this and the record that it is retired
    wanted_table(world.outside, await world.router.table())
    assert store.reserve_slots("somebody", 1) == before


def test_the_hosts_in_the_store_are_those_of_the_derived_table(world: World) -> None:
    assert tuple(claims_in_store(world.outside)) == derive_table(world.outside).hosts
