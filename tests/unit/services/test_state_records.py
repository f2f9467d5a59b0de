"""What is known of state services: changed on purpose only, and for as long as they run."""

from dataclasses import replace

from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world, other_database, with_other_database

from berthmaster.domain.plan import StartState
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.ports.progress import Silence
from berthmaster.services.compare_state import state_notes
from berthmaster.services.forget import forget_old
from berthmaster.services.observe import observe_stack
from berthmaster.services.read_health import read_health
from berthmaster.services.roll_back import roll_back

DB = "shop-prod-db-1"


async def deployed(count: int = 1) -> World:
    world = empty_world()
    for number in range(1, count + 1):
        await world.deploy(release(number))
    return world


async def changed() -> World:
    world = await deployed()
    await world.carry_out(await world.plan_state(with_other_database(2)))
    return world


def applied(world: World) -> dict[str, int]:
    return dict(world.outside.store.applied_states(SHOP))


async def test_a_deploy_leaves_a_changed_database_alone_and_says_so() -> None:
    world = await deployed()
    before = world.engine.containers[DB].id
    value = release(2)
    value = world.record(replace(value, services=other_database(value.services, 2)))
    observed = await observe_stack(world.outside, SHOP, release=value)
    (note,) = state_notes(world.outside, value, observed)
    assert note.startswith("db: differs from what runs (image ")
    assert "`berth deploy shop@prod --state db` applies it" in note
    await world.deploy(value)
    assert (world.engine.containers[DB].id, applied(world)) == (before, {"db": 1})


async def test_a_changed_database_runs_by_its_record_and_the_release_stays() -> None:
    world = await changed()
    record = world.outside.store.release(SHOP, 2)
    assert record
    assert (record.state, record.routes, record.model) == (ReleaseState.STATE, (), {"services": {}})
    assert (applied(world), (await world.view()).live) == ({"db": 2}, 1)


async def test_a_rollback_leaves_the_changed_database_alone() -> None:
    world = await changed()
    await world.deploy(release(3))
    before = world.engine.containers[DB].id
    await roll_back(world.outside, SHOP, Silence())
    assert (world.engine.containers[DB].id, applied(world)) == (before, {"db": 2})


async def test_a_removed_database_starts_again_exactly_as_it_was_changed() -> None:
    world = await changed()
    image_id = world.engine.containers[DB].image_id
    await world.outside.runtime.remove(DB)
    plan = await world.plan_deploy(release(3))
    starts = [step.action for step in plan.steps if isinstance(step.action, StartState)]
    assert [action.release for action in starts] == [2]
    await world.carry_out(plan)
    assert world.engine.containers[DB].image_id == image_id


async def test_retention_keeps_what_a_database_runs_by_and_nothing_more_of_it() -> None:
    world = await deployed(9)
    await forget_old(world.outside, [SHOP])
    kept = world.outside.store.release(SHOP, 1)
    assert kept
    assert (kept.state, [item.name for item in kept.services]) == (ReleaseState.STATE, ["db"])
    assert await forget_old(world.outside, [SHOP]) == ()


async def test_a_record_goes_when_the_database_runs_by_another() -> None:
    world = await changed()
    await world.carry_out(await world.plan_state(with_other_database(3)))
    await forget_old(world.outside, [SHOP])
    assert world.outside.store.release(SHOP, 2) is None
    assert world.outside.store.release(SHOP, 3)


async def test_health_compares_a_database_with_what_was_applied() -> None:
    world = await deployed()
    value = release(2)
    await world.deploy(replace(value, services=other_database(value.services, 2)))
    report = await read_health(world.outside, SHOP)
    (db,) = [item for item in report.findings if item.subject.startswith("db")]
    assert db.verdict == "ok", db.evidence
