"""A deployment that somebody else finishes verifies its artifact too; an unwound one does not."""

from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.deployment import Deployment, DeploymentState
from berthmaster.domain.judgement import JudgementKind
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.engine.lease import hold
from berthmaster.ports.progress import Silence
from berthmaster.services.recover import continue_deployment, unwind_deployment

_S = DeploymentState


async def killed_at_once(world: World, number: int, verb: str) -> Deployment:
    """A deployment that was opened, and whose process is gone."""
    plan = await world.plan_deploy(release(number))
    async with hold(world.outside.store, str(SHOP), what="test") as lease:
        return world.outside.store.open_deployment(
            SHOP, verb=verb, plan=plan, release=number, actor="ann@test", fence=lease.fence
        )


async def test_a_promotion_that_is_continued_is_verified() -> None:
    world = empty_world()
    made = await killed_at_once(world, 1, "promote")
    await continue_deployment(world.outside, made.id, Silence())
    (said,) = world.outside.store.judgements("shop")
    assert (said.kind, said.artifact, said.deployment) == (JudgementKind.VERIFIED, "a1", made.id)


async def test_a_promotion_that_is_unwound_leaves_a_failed_release_and_no_word() -> None:
    world = empty_world()
    await world.deploy(release(1))
    made = await killed_at_once(world, 2, "promote")
    outside = world.outside
    async with hold(outside.store, str(SHOP), what="test") as lease:
        outside.store.change_state(made.id, _S.PLANNED, _S.APPLYING, fence=lease.fence)
    await unwind_deployment(outside, made.id, Silence())
    states = {item.number: item.state for item in outside.store.releases(SHOP)}
    assert states == {1: ReleaseState.LIVE, 2: ReleaseState.FAILED}
    assert [item.artifact for item in outside.store.judgements("shop")] == ["a1"]


async def test_a_rollback_says_nothing_new() -> None:
    world = empty_world()
    await world.deploy(release(1))
    await world.deploy(release(2))
    await world.carry_out(await world.plan_deploy(release(1), "rollback"))
    assert [item.artifact for item in world.outside.store.judgements("shop")] == ["a2", "a1"]
