"""Housekeeping: what cannot be done for one stack keeps nothing from the others."""

import pytest
from tests.builders import release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.deployment import Deployment, DeploymentState
from berthmaster.domain.errors import BerthmasterError, Bug, OutsideError
from berthmaster.engine.failpoints import Failpoint, Killed
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress, Silence
from berthmaster.services import carry_out, recover
from berthmaster.services.recover import recover_abandoned
from berthmaster.services.tick import tick


async def half_done(monkeypatch: pytest.MonkeyPatch) -> World:
    """A deployment of the shop that was killed."""
    world = empty_world()
    await world.deploy(release(1))
    plan = await world.plan_deploy(release(2))
    kill = Failpoint("Switch", "after", how="raise")
    with monkeypatch.context() as patched:
        patched.setattr(carry_out, "failpoint_from_environment", lambda: kill)
        with pytest.raises(Killed):
            await world.carry_out(plan)
    return world


async def test_one_that_ended_while_housekeeping_came_to_it_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await half_done(monkeypatch)
    store = world.outside.store
    seen = store.unfinished()
    await recover_abandoned(world.outside, Silence())
    monkeypatch.setattr(store, "unfinished", lambda: seen)
    assert await recover_abandoned(world.outside, Silence()) == ()


@pytest.mark.parametrize(
    "error", [OutsideError("it does not answer", subject="db", retryable=True), Bug("it is odd")]
)
async def test_a_stack_that_cannot_be_recovered_keeps_nothing_from_the_others(
    monkeypatch: pytest.MonkeyPatch, error: BerthmasterError
) -> None:
    world = await half_done(monkeypatch)
    store = world.outside.store
    asked = list[int]()
    unwind = recover.unwind_deployment

    async def failing(outside: Outside, number: int, progress: Progress) -> Deployment:
        asked.append(number)
        if len(asked) == 1:
            raise error
        return await unwind(outside, number, progress)

    monkeypatch.setattr(recover, "unwind_deployment", failing)
    (deployment,) = store.unfinished()
    monkeypatch.setattr(store, "unfinished", lambda: (deployment, deployment))
    with pytest.raises(type(error), match=error.message):
        await tick(world.outside, Silence())
    found = store.deployment(deployment.id)
    assert found
    assert found.state is DeploymentState.UNWOUND
