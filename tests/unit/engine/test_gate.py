"""What the gate says yes and no to, and the cause that the refusal names."""

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.container import Health
from berthmaster.domain.probing import Probe
from berthmaster.domain.release import ReleaseRoute
from berthmaster.domain.report import ReleaseRefused
from berthmaster.domain.spec import SmokeSpec
from berthmaster.engine.gate import SETTLE_SECONDS
from berthmaster.testing.behaviour import (
    CRASH_LOOP,
    NEVER_HEALTHY,
    Behaviour,
    answers,
    dies_after,
    exits,
)
from berthmaster.testing.prober import FakeProber

BAD = {
    "crash_loop": CRASH_LOOP,
    "never_healthy": NEVER_HEALTHY,
    "bad_answer": answers(500),
    "refuses_host": answers(400),
    "redirect": answers(301, "https://shop.test/health/"),
    "wrong_port": Behaviour(health=Health.HEALTHY, port=9000),
    "exits_zero": exits(0),
}


@pytest.mark.requirement("R149")
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
    assert world.outside.clock.monotonic() >= SETTLE_SECONDS


def probes(world: World) -> list[Probe]:
    prober = world.outside.prober
    assert isinstance(prober, FakeProber)
    return prober.asked


async def test_every_exact_host_is_asked_for_a_route_of_its_own() -> None:
    world = empty_world()
    upstreams = release(1).routes[0].upstreams
    routes = (
        ReleaseRoute("/", "web", upstreams, ready="/up", hosts=("shop.test",)),
        ReleaseRoute("/v1", "web", upstreams, ready="/v1/up", hosts=("api.shop.test",)),
        ReleaseRoute("/v2", "web", upstreams, ready="/up", hosts=("old.shop.test",)),
        ReleaseRoute("/v3", "web", upstreams, ready="/up", strip=True, hosts=("new.shop.test",)),
    )
    await world.deploy(release(1, routes=routes, hosts=("shop.test", "*.shop.test")))
    asked = [item for item in probes(world) if item.address == "127.0.0.1"]
    assert {(item.host, item.path, item.is_lenient) for item in asked} == {
        ("shop.test", "/up", False),
        ("api.shop.test", "/v1/up", False),
        ("old.shop.test", "/v2", True),  # /up leads elsewhere from outside
        ("new.shop.test", "/v3/up", False),
    }


async def test_a_container_is_asked_with_a_host_of_its_route() -> None:
    world = empty_world()
    upstreams = release(1).routes[0].upstreams
    routes = (
        ReleaseRoute("/", None, site="frontend", hosts=("shop.test",)),
        ReleaseRoute("/", "web", upstreams, ready="/up", hosts=("api.shop.test",)),
    )
    smoke = (SmokeSpec("/ping"),)
    value = release(1, routes=routes, hosts=("api.shop.test", "shop.test"), smoke=smoke)
    await world.deploy(value)
    asked = [item for item in probes(world) if item.address != "127.0.0.1"]
    assert {item.path for item in asked} == {"/up", "/ping"}
    assert {item.host for item in asked} == {"api.shop.test"}
