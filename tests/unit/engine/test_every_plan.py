"""What holds for every plan: four tests, and a kill at every effect, generated from its steps.

The harness chooses where to fail, not the author (after omicron's saga `test_helpers.rs`): an
action or a plan that is added is covered from birth.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from tests.builders import SHOP
from tests.unit.engine.worlds import SCENARIOS, View, World, empty_world

from berthmaster.domain.deployment import TERMINAL, DeploymentState
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.plan import Plan
from berthmaster.domain.routing import RouteTable
from berthmaster.engine import executor as engine
from berthmaster.engine.effects import Effects, Work
from berthmaster.engine.failpoints import POINTS, Failpoint, Killed
from berthmaster.engine.lease import hold
from berthmaster.ports.progress import Silence
from berthmaster.ports.store import Store
from berthmaster.services.recover import recover_abandoned
from berthmaster.services.route_table import wanted_table


def planned(name: str) -> Plan:
    """The plan of a scenario, only to know its steps while tests are collected."""
    return asyncio.run(_plan(name))


async def _plan(name: str) -> Plan:
    return await SCENARIOS[name](empty_world())


FINAL_VIEWS: dict[str, View] = {}
PLANS = {name: planned(name) for name in SCENARIOS}
STEPS = [(name, step.number) for name, plan in PLANS.items() for step in plan.steps]
UNDOABLE = [
    (name, step.number)
    for name, plan in PLANS.items()
    for step in plan.steps
    if not step.is_forward_only
]
BETWEEN = [
    *((name, DeploymentState.RETIRING) for name in SCENARIOS),
    *((name, DeploymentState.PLANNED) for name in ("first_deploy", "update", "adoption")),
    *((name, DeploymentState.APPLYING) for name in ("first_deploy", "update", "adoption")),
]
KILLS = [(name, step, point) for name, step in STEPS for point in POINTS]


async def prepare(name: str) -> tuple[World, Plan]:
    world = empty_world()
    return world, await SCENARIOS[name](world)


async def run(world: World, plan: Plan, failpoint: Failpoint | None = None) -> int:
    """Carry a plan out with a failpoint; returns the deployment's number."""
    store = world.outside.store
    async with hold(store, str(SHOP), what="test") as lease:
        deployment = store.open_deployment(
            SHOP, verb=plan.verb, plan=plan, release=plan.new, actor="test", fence=lease.fence
        )
        executor = engine.Executor(world.outside, lease, Silence(), failpoint)
        try:
            await executor.run(deployment)
        except (OutsideError, Killed):
            return deployment.id
    return deployment.id


def _killed_in(store: Store, state: DeploymentState) -> Callable[..., None]:
    """Changes of state, with a kill when a deployment is in `state` and nothing more is written."""
    change = store.change_state

    def changing(number: int, old: DeploymentState, new: DeploymentState, **more: Any) -> None:
        if old is state:
            raise Killed(f"in {old}")
        change(number, old, new, **more)
        if new is state:
            raise Killed(f"in {new}")

    return changing


async def final_view(name: str) -> View:
    """What a scenario leads to, worked out once."""
    if name not in FINAL_VIEWS:
        world, plan = await prepare(name)
        await run(world, plan)
        FINAL_VIEWS[name] = await world.view()
    return FINAL_VIEWS[name]


@pytest.mark.parametrize("name", SCENARIOS)
async def test_every_plan_succeeds(name: str) -> None:
    world, plan = await prepare(name)
    number = await run(world, plan)
    deployment = world.outside.store.deployment(number)
    assert plan.verb == "destroy" or (deployment and deployment.state is DeploymentState.SUCCEEDED)
    view = await world.view()
    assert view.live == plan.new
    key = None if plan.new is None else SHOP.release_key(plan.new)
    assert view.table.live.get(SHOP.project) == key
    assert plan.new is not None or view.table == RouteTable()


@pytest.mark.parametrize("name", SCENARIOS)
async def test_doing_each_step_twice_equals_doing_it_once(name: str) -> None:
    once, plan = await prepare(name)
    await run(once, plan)
    twice, plan = await prepare(name)
    async with hold(twice.outside.store, str(SHOP), what="test") as lease:
        effects = Effects(twice.outside, lease, Silence())
        for step in plan.steps:
            await effects.perform(step.action, Work(1, step.number))
            await effects.perform(step.action, Work(1, step.number))
    assert await twice.view() == await once.view()


@pytest.mark.requirement("R150")
@pytest.mark.parametrize(("name", "fail_at"), UNDOABLE)
@pytest.mark.parametrize("point", ["before", "after_unrecorded"])
async def test_a_failure_at_any_step_leaves_the_world_as_it_was(
    name: str, fail_at: int, point: str
) -> None:
    world, plan = await prepare(name)
    before = await world.view()
    number = await run(world, plan, Failpoint(str(fail_at), point, how="fail"))
    assert await world.view() == before
    deployment = world.outside.store.deployment(number)
    assert deployment
    assert deployment.state is DeploymentState.UNWOUND


@pytest.mark.parametrize(("name", "fail_at"), UNDOABLE)
async def test_each_undo_twice_equals_once(
    name: str, fail_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = await prepare(name)
    before = await world.view()
    original = Effects.perform

    async def twice_when_undoing(self: Effects, action: Any, work: Work) -> str:
        undos = [step.undo for step in plan.steps if step.undo is not None]
        if action in undos:
            await original(self, action, work)
        return await original(self, action, work)

    monkeypatch.setattr(Effects, "perform", twice_when_undoing)
    await run(world, plan, Failpoint(str(fail_at), "after_unrecorded", how="fail"))
    assert await world.view() == before


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "step", "point"), KILLS)
async def test_a_kill_at_any_effect_is_mended_by_the_next_command(
    name: str, step: int, point: str
) -> None:
    world, plan = await prepare(name)
    before = await world.view()
    number = await run(world, plan, Failpoint(str(step), point, how="raise"))
    await recover_abandoned(world.outside, Silence())
    deployment = world.outside.store.deployment(number)
    assert deployment is None or deployment.state in TERMINAL
    assert await world.view() in (before, await final_view(name))


@pytest.mark.requirement("R150")
@pytest.mark.parametrize(("name", "state"), BETWEEN)
async def test_a_kill_between_a_state_and_the_next_step_is_mended_too(
    name: str, state: DeploymentState, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = await prepare(name)
    before = await world.view()
    store = world.outside.store
    with monkeypatch.context() as patched:
        patched.setattr(store, "change_state", _killed_in(store, state))
        number = await run(world, plan)
    found = store.deployment(number)
    assert found
    assert found.state is state
    await recover_abandoned(world.outside, Silence())
    found = store.deployment(number)
    assert found is None or found.state in TERMINAL
    is_forward = state is DeploymentState.RETIRING
    assert await world.view() == (await final_view(name) if is_forward else before)


@pytest.mark.parametrize(
    ("name", "step"), [place for place in STEPS if place[0] in ("destroy", "retire")]
)
async def test_a_gateway_that_is_mended_before_the_recovery_does_not_bring_anything_back(
    name: str, step: int
) -> None:
    world, plan = await prepare(name)
    before = await world.view()
    await run(world, plan, Failpoint(str(step), "after", how="raise"))
    table = wanted_table(world.outside, await world.router.table())
    await world.router.replace_table(table)
    await recover_abandoned(world.outside, Silence())
    assert await world.view() in (before, await final_view(name))


@pytest.mark.parametrize("step", [number for name, number in STEPS if name == "retire"])
async def test_a_router_that_is_rebuilt_from_nothing_keeps_no_slot_of_a_killed_retirement(
    step: int,
) -> None:
    world, plan = await prepare("retire")
    store = world.outside.store
    before = store.reserve_slots(SHOP.release_key(1), 1)
    await run(world, plan, Failpoint(str(step), "after", how="raise"))
    await world.router.replace_table(wanted_table(world.outside, RouteTable()))
    await recover_abandoned(world.outside, Silence())
    assert store.reserve_slots("somebody", 1) == before


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "step"), UNDOABLE)
async def test_a_second_kill_while_unwinding_is_mended_too(name: str, step: int) -> None:
    world, plan = await prepare(name)
    before = await world.view()
    number = await run(world, plan, Failpoint(str(step), "after", how="raise"))
    store = world.outside.store
    deployment = store.deployment(number)
    assert deployment
    async with hold(store, str(SHOP), what="test") as lease:
        failpoint = Failpoint("*", "after_unrecorded", is_undo=True, how="raise")
        executor = engine.Executor(world.outside, lease, Silence(), failpoint)
        with contextlib.suppress(Killed):
            await executor.unwind(deployment)
    await recover_abandoned(world.outside, Silence())
    assert await world.view() == before
