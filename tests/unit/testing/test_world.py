"""The in-memory world itself: what engine tests rest on."""

from typing import Any

import pytest

from berthmaster.domain.container import Health
from berthmaster.domain.errors import ComposeFailed, OutsideError
from berthmaster.domain.probing import Probe
from berthmaster.domain.release import ReleaseNetwork
from berthmaster.domain.routing import Backend, HostClaim, Prefix
from berthmaster.testing.behaviour import (
    CRASH_LOOP,
    HEALTHY,
    NEVER_HEALTHY,
    Behaviour,
    answers,
    dies_after,
    exits,
)
from berthmaster.testing.clock import FakeClock
from berthmaster.testing.compose import FakeCompose
from berthmaster.testing.prober import FakeProber
from berthmaster.testing.router import FakeRouter
from berthmaster.testing.runtime import FakeRuntime
from berthmaster.testing.world import FakeEngine, Snapshot

NETWORK = ReleaseNetwork("net", "10.201.0.0/27", "10.201.0.1", "10.201.0.16/28")
LABELS = {"berthmaster.stack": "shop@prod"}


@pytest.fixture
def world() -> FakeEngine:
    world = FakeEngine()
    world.add_image("shop:1")
    world.networks["net"] = NETWORK
    world.network_labels["net"] = LABELS
    return world


def _model(**web: Any) -> dict[str, Any]:
    networks = {"default": {"ipv4_address": "10.201.0.2"}}
    base = {"image": "shop:1", "container_name": "web", "networks": networks, "labels": LABELS}
    job = {"image": "shop:1", "container_name": "job", "restart": "no", "labels": LABELS}
    return {
        "services": {"web": {**base, **web}, "job": {**job, "networks": {"default": None}}},
        "networks": {"default": {"name": "net", "external": True}},
    }


async def _start(world: FakeEngine, behaviour: Behaviour) -> FakeRuntime:
    world.script("web", behaviour)
    await FakeCompose(world).up("shop-prod-r1", _model(), ["web"])
    return FakeRuntime(world)


async def _look(runtime: FakeRuntime, times: int) -> list[Any]:
    return [await runtime.container("web") for _ in range(times)]


async def test_a_healthcheck_passes_or_fails_after_its_observations(world: FakeEngine) -> None:
    seen = await _look(await _start(world, HEALTHY), 1)
    assert [item.health for item in seen] == [Health.HEALTHY]
    world.script("web", NEVER_HEALTHY)
    world.containers["web"].observations = 0
    seen = await _look(FakeRuntime(world), 3)
    starting = [Health.STARTING, Health.STARTING, Health.UNHEALTHY]
    assert [item.health for item in seen] == starting


async def test_a_crash_loop_counts_its_restarts(world: FakeEngine) -> None:
    seen = await _look(await _start(world, CRASH_LOOP), 2)
    assert [(item.state, item.restart_count) for item in seen] == [
        ("restarting", 1),
        ("restarting", 2),
    ]


async def test_a_container_dies_after_its_observations(world: FakeEngine) -> None:
    seen = await _look(await _start(world, dies_after(2)), 3)
    assert [item.is_running for item in seen] == [True, True, False]
    assert seen[-1].exit_code == 1


async def test_a_job_ends_well_unless_its_script_says_else(world: FakeEngine) -> None:
    compose, runtime = FakeCompose(world), FakeRuntime(world)
    await compose.up("shop-prod-r1", _model(), ["job"])
    assert await runtime.await_exit("job", 5) == 0
    await runtime.remove("job")
    world.script("job", exits(3, "no such table"))
    await compose.up("shop-prod-r1", _model(), ["job"])
    assert await runtime.await_exit("job", 5) == 3
    assert await runtime.logs("job", lines=5) == "no such table\n"


async def test_a_job_that_hangs_takes_all_the_time_given(world: FakeEngine) -> None:
    world.script("job", Behaviour())
    await FakeCompose(world).up("shop-prod-r1", _model(), ["job"])
    before = world.clock.monotonic()
    assert await FakeRuntime(world).await_exit("job", 300) is None
    assert world.clock.monotonic() == before + 300


async def test_a_call_fails_before_its_effect_or_after_it_as_asked(world: FakeEngine) -> None:
    runtime = await _start(world, Behaviour())
    world.fail_next("runtime.stop")
    world.fail_next("runtime.stop", is_late=True)
    states = []
    for _ in range(2):
        with pytest.raises(OutsideError):
            await runtime.stop("web", 5)
        states.append(world.containers["web"].state)
    assert states == ["running", "exited"]
    await runtime.stop("web", 5)


async def test_a_snapshot_is_the_same_after_an_undo_and_not_before(world: FakeEngine) -> None:
    before = world.snapshot()
    runtime = await _start(world, Behaviour())
    assert world.snapshot() != before
    await runtime.remove("web")
    assert world.snapshot() == before
    assert isinstance(before, Snapshot)


async def test_two_running_containers_cannot_have_one_address(world: FakeEngine) -> None:
    await _start(world, Behaviour())
    with pytest.raises(ComposeFailed, match="Address already in use"):
        await FakeCompose(world).up("shop-prod-r2", _model(container_name="other"), ["web"])


async def test_the_engine_gives_out_addresses_of_the_upper_half_only(world: FakeEngine) -> None:
    await FakeCompose(world).up("shop-prod-r1", _model(), ["job"])
    assert world.containers["job"].addresses == {"net": "10.201.0.16"}


async def test_sleeping_moves_the_clock_at_once() -> None:
    clock = FakeClock()
    before = clock.now()
    await clock.sleep(90)
    assert (clock.now() - before).total_seconds() == clock.monotonic() == 90


async def _routed(world: FakeEngine) -> FakeRouter:
    router = FakeRouter()
    prefixes = [Prefix("shop-prod/r1", "/", 1)]
    await router.attach("shop-prod", [Backend(1, ("10.201.0.2:8000",))], prefixes, fence=1)
    await router.claim_hosts([HostClaim("https", "shop.test", "shop-prod")], fence=1)
    await router.switch("shop-prod", "shop-prod/r1", fence=1)
    return router


async def test_a_probe_through_the_router_names_the_live_release(world: FakeEngine) -> None:
    await _start(world, Behaviour())
    prober = FakeProber(world, await _routed(world))
    answer = await prober.probe(Probe("127.0.0.1", 443, "/", "shop.test", marks_release=True))
    assert (answer.is_good, answer.release) == (True, "shop-prod/r1")


@pytest.mark.parametrize(
    ("host", "change", "status"),
    [("shop.test", "stop", 503), ("shop.test", "maintenance", 503), ("else.test", "", 421)],
)
async def test_a_probe_through_the_router_fails_as_the_world_says(
    world: FakeEngine, host: str, change: str, status: int
) -> None:
    runtime = await _start(world, answers(200))
    router = await _routed(world)
    if change == "stop":
        await runtime.stop("web", 1)
    await router.set_maintenance("shop-prod", change == "maintenance", fence=1)
    answer = await FakeProber(world, router).probe(Probe("127.0.0.1", 443, "/", host))
    assert (answer.status, answer.is_good) == (status, False)


async def test_a_prober_made_to_fail_reports_and_does_not_raise(world: FakeEngine) -> None:
    world.fail_next("prober.probe")
    answer = await FakeProber(world).probe(Probe("10.201.0.2", 8000, "/", "shop.test"))
    assert (answer.status, answer.is_good) == (None, False)
