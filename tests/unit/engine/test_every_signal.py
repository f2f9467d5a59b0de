"""Ctrl-C, SIGTERM and a lost terminal at every effect of every plan, through the real handlers.

A run that is interrupted reverses itself, or past the point of no return leaves the rest to the
next command; the harness chooses where, as for `kill -9`.
"""

import asyncio
import contextlib
import itertools
import signal
from typing import Any

import pytest
from tests.builders import SHOP
from tests.unit.engine.test_every_plan import KILLS, UNDOABLE, final_view, prepare, run
from tests.unit.engine.worlds import View, World

from berthmaster import bootstrap
from berthmaster.domain.deployment import TERMINAL, DeploymentState
from berthmaster.domain.errors import Interrupted, LeaseHeld, LeaseLost
from berthmaster.domain.plan import Plan
from berthmaster.engine.effects import Effects, Work
from berthmaster.engine.executor import Executor
from berthmaster.engine.failpoints import Failpoint, failpoint_from_environment
from berthmaster.engine.lease import hold
from berthmaster.ports.progress import Silence
from berthmaster.services.recover import recover_abandoned
from berthmaster.testing.clock import FakeClock

SIGNALS = itertools.cycle(("int", "term", "hup"))
# One or two of the three points of each step: `kill -9` takes all of them.
SIGNALLED = [(*kill, next(SIGNALS)) for kill in KILLS[::2]]


def interrupted(world: World, plan: Plan, failpoint: Failpoint) -> bool:
    """Carry a plan out under the handlers that `berth` installs; whether it was cut short."""
    with contextlib.suppress(Interrupted):
        bootstrap.run(world.outside, lambda _: run(world, plan, failpoint))
        return False
    return True


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "step", "point", "how"), SIGNALLED)
def test_a_signal_at_any_effect_needs_no_hands(name: str, step: int, point: str, how: str) -> None:
    world, plan = asyncio.run(prepare(name))
    before: View = asyncio.run(world.view())
    is_cut = interrupted(world, plan, Failpoint(str(step), point, how=how))
    store = world.outside.store
    assert store.lease(str(SHOP)) is None
    if is_cut and plan.steps[step - 1].undo is not None:
        (newest,) = store.deployments(SHOP, 1)
        assert newest.state in (DeploymentState.UNWOUND, DeploymentState.RETIRING)
        assert newest.state is DeploymentState.RETIRING or asyncio.run(world.view()) == before
    asyncio.run(recover_abandoned(world.outside, Silence()))
    assert all(item.state in TERMINAL for item in store.deployments(SHOP))
    assert asyncio.run(world.view()) in (before, asyncio.run(final_view(name)))


@pytest.mark.parametrize(("name", "step"), UNDOABLE[::7])
@pytest.mark.parametrize("how", ["int", "term", "hup"])
def test_a_signal_while_a_failure_is_reversed_does_not_cut_it_short(
    name: str, step: int, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = asyncio.run(prepare(name))
    before = asyncio.run(world.view())
    original, undos = Effects.perform, [item.undo for item in plan.steps if item.undo]

    async def signalled(self: Effects, action: Any, work: Work) -> str:
        if action in undos:
            signal.raise_signal(signal.Signals[f"SIG{how.upper()}"])
            await asyncio.sleep(0)  # the handler's turn
        return await original(self, action, work)

    monkeypatch.setattr(Effects, "perform", signalled)
    interrupted(world, plan, Failpoint(str(step), "after_unrecorded", how="fail"))
    assert asyncio.run(world.view()) == before
    (newest,) = world.outside.store.deployments(SHOP, 1)
    assert newest.state is DeploymentState.UNWOUND


async def test_a_cancelled_unwind_ends_and_what_comes_after_it_does_not_begin() -> None:
    world, plan = await prepare("update")
    before = await world.view()
    number = await run(world, plan, Failpoint("*", "after", how="raise"))
    deployment = world.outside.store.deployment(number)
    assert deployment

    async def all_of_it() -> None:
        async with hold(world.outside.store, str(SHOP), what="test") as lease:
            await Executor(world.outside, lease, Silence()).unwind(deployment)
        await asyncio.sleep(0)
        raise AssertionError("it went on")

    task = asyncio.create_task(all_of_it())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await world.view() == before


async def test_past_the_point_of_no_return_it_says_what_serves_and_what_comes_next() -> None:
    world, plan = await prepare("update")
    first = next(step for step in plan.steps if step.is_forward_only)
    task = asyncio.create_task(
        run(world, plan, Cancelling(str(first.number + 1), "before", how="int"))
    )
    with pytest.raises(Interrupted, match=r"Release r2 serves\.") as caught:
        await task
    assert caught.value.next_command == "berth continue d2"
    await recover_abandoned(world.outside, Silence())
    assert await world.view() == await final_view("update")


class Cancelling(Failpoint):
    """Cancels the task that runs the plan, as a handler does, without a signal."""

    def hit(self, step: int, action: Any, point: str, *, is_undo: bool) -> None:
        if (str(step), point) == (self.target, self.point):
            task = asyncio.current_task()
            assert task
            task.cancel()


async def test_a_stop_that_is_still_under_way_is_waited_for_before_the_start() -> None:
    """An engine goes on with a stop whose caller was killed; a start does nothing until it ends."""
    world, plan = await prepare("update")
    stop = next(step for step in plan.steps if "StopContainers" in repr(step.action))
    await run(world, plan, Failpoint(str(stop.number), "before", how="raise"))
    world.engine.calls.clear()
    await recover_abandoned(world.outside, Silence())
    name = stop.action.containers[0]  # type: ignore[union-attr]
    calls = [method for method, subject in world.engine.calls if subject == name]
    assert calls.index("runtime.stop") < calls.index("runtime.start")


@pytest.mark.parametrize("name", ["update", "state_change", "retire", "destroy"])
async def test_who_was_frozen_for_longer_than_its_lease_tells_the_engine_nothing(name: str) -> None:
    """Woken just before an effect, with the lease at somebody else's."""
    world, plan = await prepare(name)
    store, clock = world.outside.store, world.outside.clock

    class Frozen(Failpoint):
        def hit(self, step: int, action: Any, point: str, *, is_undo: bool) -> None:
            if point == "before":
                assert isinstance(clock, FakeClock)
                clock.advance(3600)
                with contextlib.suppress(LeaseHeld):
                    store.acquire_lease(str(SHOP), holder="ben", seconds=1e6)
                world.engine.calls.clear()

    with pytest.raises(LeaseLost, match="ben"):
        await run(world, plan, Frozen("*", "before", how="int"))
    assert world.engine.calls == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Switch:before", Failpoint("Switch", "before")),
        ("7:after@int", Failpoint("7", "after", how="int")),
        ("undo:*:during@hup", Failpoint("*", "during", is_undo=True, how="hup")),
        ("undo:Switch:after!", Failpoint("Switch", "after", is_undo=True, how="fail")),
    ],
)
def test_a_failpoint_is_read_from_the_environment(
    text: str, wanted: Failpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BERTHMASTER_FAILPOINT", text)
    assert failpoint_from_environment() == wanted
