"""Looking at a deployment that somebody else carries out."""

import asyncio
from dataclasses import dataclass, field

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.deployment import DeploymentState, StepState
from berthmaster.domain.errors import DeploymentFailed, NotFound
from berthmaster.domain.plan import Plan, Step
from berthmaster.engine.lease import hold
from berthmaster.ports.progress import Silence
from berthmaster.services.follow_deployment import follow_deployment
from berthmaster.testing.behaviour import Behaviour


@dataclass
class Heard(Silence):
    """What a progress was told, as words."""

    said: list[str] = field(default_factory=list)

    def plan_started(self, plan: Plan, deployment: str) -> None:
        self.said.append(f"plan {deployment}")

    def step_started(self, step: Step, *, is_undo: bool) -> None:
        self.said.append(f"{'undo' if is_undo else 'do'} {step.number}")

    def step_ended(self, step: Step, *, is_undo: bool, seconds: float, detail: str) -> None:
        self.said.append(f"{'undone' if is_undo else 'done'} {step.number}")

    def step_failed(self, step: Step, *, is_undo: bool, seconds: float, error: str) -> None:
        self.said.append(f"failed {step.number}")


@pytest.fixture
def world() -> World:
    return empty_world()


async def test_what_ended_is_told_from_its_journal(world: World) -> None:
    await world.deploy(release(1))
    heard = Heard()
    found = await follow_deployment(world.outside, 1, heard)
    assert found.state is DeploymentState.SUCCEEDED
    rows = world.outside.store.journal(1)
    assert len(heard.said) == len(rows) + 1
    assert heard.said[:2] == ["plan d1", f"do {rows[0].step}"]


async def test_one_that_runs_is_followed_to_its_end(world: World) -> None:
    plan = await world.plan_deploy(release(1))
    heard = Heard()
    _, found = await asyncio.gather(
        world.carry_out(plan), follow_deployment(world.outside, None, heard)
    )
    assert found.state is DeploymentState.SUCCEEDED
    assert sum(word.startswith("done") for word in heard.said) == len(plan.steps)


async def test_a_refused_release_is_followed_through_its_undo(world: World) -> None:
    await world.deploy(release(1))
    plan = await world.plan_deploy(release(2))
    image = next(
        one.image.runs_as for one in release(2).services if one.name == "web" and one.image
    )
    world.engine.script(image, Behaviour(exit_code=1))
    heard = Heard()
    ended = await asyncio.gather(
        world.carry_out(plan), follow_deployment(world.outside, None, heard), return_exceptions=True
    )
    assert isinstance(ended[0], DeploymentFailed)
    assert not isinstance(ended[1], BaseException)
    assert ended[1].state is DeploymentState.UNWOUND
    assert any(word.startswith("failed") for word in heard.said)
    assert heard.said[-1].startswith("undone")


async def test_one_that_nobody_works_on_is_not_waited_for(world: World) -> None:
    plan = await world.plan_deploy(release(1))
    async with hold(world.outside.store, str(SHOP), what="test") as lease:
        opened = world.outside.store.open_deployment(
            SHOP, verb="deploy", plan=plan, release=1, actor="a@b", fence=lease.fence
        )
        world.outside.store.write_journal(opened.id, 1, StepState.STARTED, fence=lease.fence)
    found = await follow_deployment(world.outside, None, Heard())
    assert (found.id, found.state) == (opened.id, DeploymentState.PLANNED)


async def test_without_any_deployment_it_says_how_to_begin(world: World) -> None:
    for number in (None, 7):
        with pytest.raises(NotFound):
            await follow_deployment(world.outside, number, Heard())
