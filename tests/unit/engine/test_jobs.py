"""Jobs that run beside the release that serves: watched, stopped, and what is said of it."""

import asyncio

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import DB, World, empty_world

from berthmaster.domain.errors import Interrupted
from berthmaster.domain.plan import RunJob
from berthmaster.domain.report import ReleaseRefused
from berthmaster.domain.spec import JobSpec
from berthmaster.engine import jobs
from berthmaster.engine.jobs import JobFailed
from berthmaster.ports.progress import Silence
from berthmaster.services.roll_back import roll_back
from berthmaster.testing.behaviour import HEALTHY, Behaviour, answers, exits

JOB = "shop-prod-r2-job-migrate"
WEB = ("shop-prod-r1-web-1", "shop-prod-r1-web-2")


async def serving(job: Behaviour) -> World:
    """The shop at r1, about to get r2, whose migration does this."""
    world = empty_world()
    await world.deploy(release(1))
    world.record(release(2))
    world.engine.script(JOB, job)
    return world


async def refused(world: World) -> ReleaseRefused:
    with pytest.raises(ReleaseRefused) as found:
        await world.deploy(release(2))
    assert found.value.diagnosis.cause == "migration_locks_out"
    return found.value


async def test_a_job_that_locks_the_old_release_out_is_stopped_and_unwound() -> None:
    world = await serving(Behaviour(locks_out=WEB))
    before = await world.view()
    error = await refused(world)
    assert "r1 answers well again" in error.diagnosis.sentence
    assert "compatible: no" in error.diagnosis.remedy
    assert "r1 still serves" in error.message
    assert world.outside.clock.monotonic() < 60  # not its whole time of 300 s
    assert ("databases.end_sessions", DB) in world.engine.calls
    assert await world.view() == before


async def test_a_committed_harm_is_said_plainly_and_the_restore_point_named() -> None:
    world = await serving(Behaviour(exit_code=0, locks_out=WEB, commits=True))
    error = await refused(world)
    command = "berth rollback shop@prod --to r1 --restore-point before-r2"
    assert "does NOT answer well" in error.diagnosis.sentence
    assert command in error.report()
    assert error.next_command == command
    assert "still serves" not in error.message
    world.engine.harmed.clear()  # as the restored data does
    await roll_back(world.outside, SHOP, Silence(), to=1, restore_point="before-r2")
    record = world.outside.store.stack(SHOP)
    assert record
    assert (record.live, record.is_in_maintenance) == (1, False)


async def test_a_failing_job_that_harms_nobody_is_only_a_failed_job() -> None:
    world = await serving(exits(4, "no such table"))
    with pytest.raises(JobFailed, match="exit code 4"):
        await world.deploy(release(2))


async def test_a_job_that_breaks_one_replica_of_two_goes_on() -> None:
    world = await serving(Behaviour(exit_code=0, locks_out=WEB[:1], commits=True))
    await world.deploy(release(2))


async def test_what_was_bad_before_is_not_the_jobs_doing() -> None:
    world = await serving(exits(0))
    for name in WEB:
        world.engine.script(name, answers(503))
    await world.deploy(release(2))
    record = world.outside.store.stack(SHOP)
    assert record
    assert record.live == 2


async def test_a_job_that_hangs_leaves_no_session_behind() -> None:
    world = await serving(HEALTHY)
    with pytest.raises(JobFailed, match="did not end in 300 s"):
        await world.deploy(release(2))
    assert ("databases.end_sessions", DB) in world.engine.calls


async def test_a_job_that_was_interrupted_leaves_no_session_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await serving(HEALTHY)
    before = await world.view()

    async def interrupted(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(jobs, "_until_end_or_bad", interrupted)
    with pytest.raises(Interrupted):
        await world.deploy(release(2))
    assert ("databases.end_sessions", DB) in world.engine.calls
    assert await world.view() == before


@pytest.mark.parametrize(
    ("is_compatible", "beside"), [(True, 1), (False, None)], ids=["compatible", "incompatible"]
)
async def test_only_what_has_to_go_on_serving_is_watched(
    is_compatible: bool, beside: int | None
) -> None:
    world = empty_world()
    await world.deploy(release(1))
    job = JobSpec("migrate", "web", ("migrate",), is_compatible=is_compatible, is_migration=True)
    plan = await world.plan_deploy(release(2, jobs=(job,)))
    (found,) = (step.action for step in plan.steps if isinstance(step.action, RunJob))
    assert found.beside == beside


async def test_the_first_release_has_nobody_beside_it() -> None:
    plan = await empty_world().plan_deploy(release(1))
    (found,) = (step.action for step in plan.steps if isinstance(step.action, RunJob))
    assert (found.beside, found.points) == (None, ())
