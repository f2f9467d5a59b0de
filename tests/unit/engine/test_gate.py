"""What the gate says yes and no to, and the cause that the refusal names."""

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import empty_world

from berthmaster.domain.container import Health
from berthmaster.domain.report import ReleaseRefused
from berthmaster.testing.behaviour import (
    CRASH_LOOP,
    NEVER_HEALTHY,
    Behaviour,
    answers,
    dies_after,
    exits,
)

BAD = {
    "crash_loop": CRASH_LOOP,
    "never_healthy": NEVER_HEALTHY,
    "bad_answer": answers(500),
    "refuses_host": answers(400),
    "redirect": answers(301, "https://shop.test/health/"),
    "wrong_port": Behaviour(health=Health.HEALTHY, port=9000),
    "exits_zero": exits(0),
}


@pytest.mark.parametrize("cause", BAD)
async def test_a_bad_release_is_refused_with_its_cause_and_the_old_one_serves(cause: str) -> None:
    world = empty_world()
    await world.deploy(release(1))
    before = await world.view()
    bad = world.record(release(2))
    for item in bad.services:
        if item.image and item.name == "web":
            world.engine.script(item.image.runs_as, BAD[cause])
            world.engine.script("shop-prod-r2-job-migrate", exits(0))
    with pytest.raises(ReleaseRefused) as refused:
        await world.deploy(release(2))
    assert refused.value.diagnosis.cause == cause
    assert "r1 still serves" in refused.value.message
    assert await world.view() == before


async def test_a_release_that_dies_while_watched_turns_back() -> None:
    world = empty_world()
    await world.deploy(release(1))
    before = await world.view()
    world.record(release(2))
    for replica in (1, 2):
        world.engine.script(f"shop-prod-r2-web-{replica}", dies_after(15))
    with pytest.raises(ReleaseRefused, match="watched"):
        await world.deploy(release(2))
    assert await world.view() == before


async def test_a_service_without_check_and_probe_must_last_a_while() -> None:
    world = empty_world()
    world.record(release(1))
    world.engine.script("shop-prod-r1-worker-1", Behaviour())
    await world.deploy(release(1))
    assert world.outside.store.stack(SHOP)
    assert world.outside.clock.monotonic() >= 3.0
