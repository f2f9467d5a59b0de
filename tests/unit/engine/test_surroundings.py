"""What surrounds a plan fails at every effect: the engine goes away, the store takes no writes, the
disk no files. Nothing waits for a person, and nothing is left.
"""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.test_every_plan import STEPS, final_view, prepare, run
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.deployment import TERMINAL, DeploymentState
from berthmaster.domain.errors import DeploymentFailed, OutsideError
from berthmaster.domain.plan import Plan
from berthmaster.engine.effects import Effects, Work
from berthmaster.engine.executor import PATIENCE_SECONDS
from berthmaster.engine.lease import hold
from berthmaster.ports.progress import Silence
from berthmaster.services.carry_out import carry_out
from berthmaster.services.recover import recover_abandoned
from berthmaster.testing.files import FakeFiles

# Those with the most kinds of steps; every one is killed at every effect in `test_every_plan`.
NAMES = {"update_with_warm", "incompatible_migration", "cold_rollback_with_data", "destroy"}
SOME_STEPS = [(name, step) for name, step in STEPS if name in NAMES]
Perform = Callable[[Effects, Any, Work], Awaitable[str]]
Happens = Callable[[World], None]


def at_effect(monkeypatch: pytest.MonkeyPatch, world: World, number: int, happens: Happens) -> None:
    """Let something happen just before (and so during) the first try of a step."""
    original, seen = Effects.perform, set[int]()

    async def perform(self: Effects, action: Any, work: Work) -> str:
        if work.step == number and number not in seen:
            seen.add(number)
            happens(world)
        return await original(self, action, work)

    monkeypatch.setattr(Effects, "perform", perform)


def away(seconds: float) -> Happens:
    def go(world: World) -> None:
        world.engine.absent_until = world.outside.clock.monotonic() + seconds

    return go


def unwritable(world: World) -> None:
    database(world).execute("PRAGMA query_only = ON")


def writable(world: World) -> None:
    database(world).execute("PRAGMA query_only = OFF")


def database(world: World) -> Any:
    store: Any = world.outside.store
    return store._database._connection


async def attempt(world: World, plan: Plan) -> int:
    """Carry the plan out as far as it goes; the number of the deployment."""
    with contextlib.suppress(OutsideError, DeploymentFailed):
        await run(world, plan)
    return world.outside.store.deployments(None, 1)[0].id


async def ended(world: World, number: int) -> bool:
    deployment = world.outside.store.deployment(number)
    return deployment is None or deployment.state in TERMINAL


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "step"), SOME_STEPS)
async def test_an_engine_that_is_restarted_at_any_effect_is_waited_for(
    name: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = await prepare(name)
    before = await world.view()
    with monkeypatch.context() as patch:
        at_effect(patch, world, step, away(PATIENCE_SECONDS / 3))
        number = await attempt(world, plan)
    assert await ended(world, number)
    assert await world.view() in (before, await final_view(name))


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "step"), SOME_STEPS)
async def test_after_a_long_absence_the_next_command_finishes_or_reverses(
    name: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = await prepare(name)
    before = await world.view()
    with monkeypatch.context() as patch:
        at_effect(patch, world, step, away(1_000_000))
        number = await attempt(world, plan)
    assert [item.state for item in world.outside.store.unfinished()] != [DeploymentState.STUCK]
    world.engine.absent_until = 0.0
    await recover_abandoned(world.outside, Silence())
    assert await ended(world, number)
    assert await world.view() in (before, await final_view(name))


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "step"), SOME_STEPS)
async def test_a_store_that_takes_no_more_writes_at_any_effect_is_mended_by_the_next_command(
    name: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = await prepare(name)
    before = await world.view()
    with monkeypatch.context() as patch:
        at_effect(patch, world, step, unwritable)
        await attempt(world, plan)
    writable(world)
    free_lease(world)
    await recover_abandoned(world.outside, Silence())
    assert world.outside.store.unfinished() == ()
    assert await world.view() in (before, await final_view(name))


def free_lease(world: World) -> None:
    """The process that could not give it back is gone."""
    if lease := world.outside.store.lease(str(SHOP)):
        world.outside.store.release_lease(lease)


@pytest.mark.parametrize("step", [1, 3, 5])
async def test_a_disk_that_takes_no_files_reverses_the_deploy(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = await prepare("update")
    before = await world.view()
    files = world.outside.files
    assert isinstance(files, FakeFiles)

    def fill(_: World) -> None:
        files.failure = OutsideError("the disk is full", subject="files", retryable=True)

    at_effect(monkeypatch, world, step, fill)
    number = await attempt(world, plan)
    files.failure = None
    await recover_abandoned(world.outside, Silence())
    assert await ended(world, number)
    assert await world.view() in (before, await final_view("update"))


async def test_whoever_deploys_is_told_that_the_next_command_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, plan = await prepare("update")
    at_effect(monkeypatch, world, 4, away(1_000_000))
    async with hold(world.outside.store, str(SHOP), what="test") as lease:
        with pytest.raises(OutsideError, match="goes on with the next command") as refused:
            await carry_out(world.outside, lease, plan, Silence())
    assert (refused.value.next_command, refused.value.exit_code) == ("berth tick", 3)


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_is_set_by_an_hour_does_not_change_a_verdict(
    hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = empty_world()
    await world.deploy(release(1))
    clock: Any = world.outside.clock
    original = type(clock).now
    step = timedelta(0)

    def now(self: Any) -> datetime:
        instant: datetime = original(self) + step
        return instant

    monkeypatch.setattr(type(clock), "now", now)
    plan = await world.plan_deploy(release(2))

    def set_clock(_: World) -> None:
        nonlocal step
        step = timedelta(hours=hours)

    await_ready = next(item.number for item in plan.steps if "ready" in item.what)
    at_effect(monkeypatch, world, await_ready, set_clock)
    await world.carry_out(plan)
    assert (await world.view()).live == 2
