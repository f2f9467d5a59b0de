"""Slots and subnets of what does not run are free again, however a command ended."""

from pathlib import Path
from typing import Any

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, adoption, empty_world

from berthmaster.domain.errors import DeploymentFailed, NotAllowed, NotFound
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.engine.failpoints import Failpoint, Killed
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Silence
from berthmaster.services import carry_out
from berthmaster.services import change_state as changing_state
from berthmaster.services import deploy as deploying
from berthmaster.services.adopt import refuse_known
from berthmaster.services.end_stack import destroy
from berthmaster.services.recover import continue_deployment, recover_abandoned
from berthmaster.services.render_model import ReleaseRequest
from berthmaster.services.roll_back import plan_rollback, roll_back
from berthmaster.services.tick import tick
from berthmaster.testing.behaviour import exits
from berthmaster.testing.clock import FakeClock

OWNERS = ("shop-prod-state", "shop-prod-r1-net")


def kill_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next plan is killed before its first step."""
    kill = Failpoint("1", "before", how="raise")
    monkeypatch.setattr(carry_out, "failpoint_from_environment", lambda: kill)


async def test_a_destroy_that_was_killed_gives_every_subnet_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = empty_world()
    await world.deploy(release(1))
    store = world.outside.store
    store.reserve_subnets([*OWNERS, "shop-prod-eu-r1-net"], taken=())
    kill_the_next(monkeypatch)
    with pytest.raises(Killed):
        await destroy(world.outside, SHOP, Silence(), removes_volumes=True)
    await recover_abandoned(world.outside, Silence())
    assert set(store.subnets()) == {"shop-prod-eu-r1-net"}  # a neighbour's


async def test_a_destroy_frees_nothing_of_a_tenant_whose_name_begins_like_a_release() -> None:
    world = empty_world()
    await world.deploy(release(1))
    store = world.outside.store
    neighbours = {"shop-prod-r2d2-state", "shop-prod-r2d2-r1-net"}
    store.reserve_subnets([*OWNERS, *neighbours], taken=())
    await destroy(world.outside, SHOP, Silence(), removes_volumes=True)
    assert set(store.subnets()) == neighbours


async def with_a_retired_release() -> World:
    """r2 is live; of r1 only the record is left."""
    world = empty_world()
    for number in (1, 2):
        await world.deploy(release(number))
    world.outside.store.set_release_state(SHOP, 1, ReleaseState.RETIRED)
    world.outside.store.free_slots(SHOP.release_key(1))
    for name in [name for name in world.engine.containers if "-r1-" in name]:
        del world.engine.containers[name]
    return world


async def test_a_cold_rollback_that_was_killed_gives_its_slots_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await with_a_retired_release()
    store = world.outside.store
    free = store.reserve_slots("next", 1)
    store.free_slots("next")
    kill_the_next(monkeypatch)
    with pytest.raises(Killed):
        await roll_back(world.outside, SHOP, Silence(), to=1)
    assert store.reserve_slots("next", 1) != free
    store.free_slots("next")
    await recover_abandoned(world.outside, Silence())
    assert store.reserve_slots("next", 1) == free


async def test_a_continued_deploy_that_is_refused_then_gives_back_what_it_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = empty_world()
    await world.deploy(release(1))
    store = world.outside.store
    free = store.reserve_slots("next", 1)
    store.free_slots("next")
    plan = await world.plan_deploy(release(2))
    with monkeypatch.context() as patched:
        kill_the_next(patched)
        with pytest.raises(Killed):
            await world.carry_out(plan)
    world.engine.script("shop-prod-r2-job-migrate", exits(1))
    (deployment,) = store.unfinished()
    with pytest.raises(DeploymentFailed, match="release r1 still serves"):
        await continue_deployment(world.outside, deployment.id, Silence())
    states = {item.number: item.state for item in store.releases(SHOP)}
    assert states == {1: ReleaseState.LIVE, 2: ReleaseState.FAILED}
    assert store.reserve_slots("next", 1) == free


async def test_a_rollback_that_is_refused_or_only_planned_keeps_no_slot() -> None:
    world = await with_a_retired_release()
    store = world.outside.store
    free = store.reserve_slots("next", 1)
    store.free_slots("next")
    with pytest.raises(NotFound):
        await roll_back(world.outside, SHOP, Silence(), to=1, restore_point="nowhere")
    assert store.reserve_slots("next", 1) == free
    store.free_slots("next")
    await plan_rollback(world.outside, SHOP, to=1)
    assert store.reserve_slots("next", 1) == free


async def test_a_plan_keeps_no_address_and_takes_none_from_a_deploy_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deploying, "prepare_release", _reserve_and_refuse)
    world = empty_world()
    store = world.outside.store
    request = ReleaseRequest(SHOP, Path(), command="test")
    with pytest.raises(NotAllowed):
        await deploying.plan_release(world.outside, request)
    assert not store.subnets()
    lease = store.acquire_lease(str(SHOP), holder="a deploy", seconds=60)
    assert store.next_release_number(SHOP) == 1
    store.reserve_subnets(OWNERS, taken=())
    with pytest.raises(NotAllowed):
        await deploying.plan_release(world.outside, request)
    assert set(store.subnets()) == {*OWNERS}
    assert isinstance(world.outside.clock, FakeClock)
    world.outside.clock.set_wall(3600)  # a lease lasts by another clock
    with pytest.raises(NotAllowed):
        await deploying.plan_release(world.outside, request)
    assert set(store.subnets()) == {*OWNERS}
    store.release_lease(lease)
    assert store.next_release_number(SHOP) == 2


async def test_the_plan_of_a_state_change_takes_nothing_from_a_deploy_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = empty_world()
    await world.deploy(release(1))
    store = world.outside.store
    monkeypatch.setattr(changing_state, "prepare_release", _reserve_and_refuse)
    number = store.next_release_number(SHOP)  # as a deploy that prepares its release
    store.reserve_subnets(["shop-prod-state", f"shop-prod-r{number}-net"], taken=())
    before = store.subnets()
    request = ReleaseRequest(SHOP, Path(), command="test")
    with pytest.raises(NotAllowed):
        await changing_state.plan_state(world.outside, request)
    assert store.subnets() == before
    assert store.next_release_number(SHOP) == number + 1


@pytest.mark.parametrize("is_recorded", [True, False])
async def test_what_a_killed_deploy_had_reserved_before_its_deployment_comes_back(
    is_recorded: bool,
) -> None:
    world = empty_world()
    await world.deploy(release(1))
    store = world.outside.store
    free = store.reserve_slots("next", 1)
    store.free_slots("next")
    store.reserve_subnets([*OWNERS, "shop-prod-r2-net"], taken=())
    store.reserve_slots(SHOP.release_key(2), 1)
    if is_recorded:
        world.record(release(2))
    lease = store.acquire_lease(str(SHOP), holder="a deploy", seconds=60)
    assert await tick(world.outside, Silence()) == ()  # it may be on its way
    store.release_lease(lease)
    assert await tick(world.outside, Silence()) == (
        "shop@prod: r2 was never begun; what it had reserved is free",
    )
    assert set(store.subnets()) == {*OWNERS}
    assert store.reserve_slots("next", 1) == free
    states = {item.number: item.state for item in store.releases(SHOP)}
    assert states.get(2) is (ReleaseState.FAILED if is_recorded else None)
    assert await tick(world.outside, Silence()) == ()


async def test_an_adoption_that_was_killed_before_its_deployment_can_be_begun_again() -> None:
    world = empty_world()
    await adoption(world)  # recorded and planned, no more
    await tick(world.outside, Silence())
    refuse_known(world.outside, SHOP, "old")
    assert world.outside.store.stacks() == ()


async def _reserve_and_refuse(outside: Outside, _: ReleaseRequest, *, number: int) -> Any:
    names = ["shop-prod-state", f"shop-prod-r{number}-net"]
    outside.store.reserve_subnets(names, taken=())
    raise NotAllowed("the policy refuses this")
