"""Smoke conditions decide: asked before the switch of the release, after it the public way."""

from dataclasses import replace

import pytest
from tests.builders import release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.domain.container import Health
from berthmaster.domain.errors import DeploymentFailed
from berthmaster.domain.probing import Probe, ProbeResult
from berthmaster.domain.release import ReleaseRoute
from berthmaster.domain.report import ReleaseRefused
from berthmaster.domain.spec import SmokeSpec
from berthmaster.engine.smoke import ask_publicly
from berthmaster.testing.behaviour import Behaviour
from berthmaster.testing.prober import FakeProber

READY = SmokeSpec("/ready", json={"status": "ok"}, headers={"X-Mode": "strict"})
GOOD = Behaviour(health=Health.HEALTHY, body='{"status": "ok"}', headers={"X-Mode": "strict"})


def command(*words: str, service: str = "web", **more: int) -> SmokeSpec:
    return SmokeSpec("", command=words, service=service, **more)  # type: ignore[arg-type]


async def deployed(*smoke: SmokeSpec, script: Behaviour = GOOD) -> World:
    """Release 1 is live; release 2 with these conditions was deployed, or raised."""
    world = empty_world()
    await world.deploy(release(1))
    value = world.record(release(2, smoke=smoke))
    for number in (1, 2):
        world.engine.script(f"shop-prod-r2-web-{number}", script)
    await world.deploy(value)
    return world


def paths(world: World) -> list[tuple[str, bool]]:
    assert isinstance(world.outside.prober, FakeProber)
    return [(item.path, item.marks_release) for item in world.outside.prober.asked if item.smoke]


async def test_a_request_is_asked_of_the_release_and_then_through_the_gateway() -> None:
    world = await deployed(READY, SmokeSpec("/login", status=200))
    assert paths(world) == [
        ("/ready", False),
        ("/login", False),
        ("/ready", True),
        ("/login", True),
    ]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (replace(GOOD, body='{"status": "down"}'), 'its JSON has status = "down"'),
        (replace(GOOD, headers={}), "has no header X-Mode"),
    ],
)
async def test_an_answer_that_is_not_as_declared_refuses_the_release(
    script: Behaviour, words: str
) -> None:
    with pytest.raises(ReleaseRefused) as refused:
        await deployed(READY, script=script)
    assert refused.value.diagnosis.cause == "bad_smoke"
    assert words in refused.value.message
    assert "r1 still serves" in refused.value.message


async def test_what_fails_the_public_way_only_turns_the_switch_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = empty_world()
    await world.deploy(release(1))
    before = await world.view()
    _break_the_public_way(world, monkeypatch)
    with pytest.raises(DeploymentFailed, match=r"/ready through the gateway: answered 502"):
        await world.deploy(release(2, smoke=(SmokeSpec("/ready"),)))
    assert await world.view() == before


def _break_the_public_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    good = world.outside.prober.probe

    async def probe(asked: Probe) -> ProbeResult:
        if asked.smoke and asked.marks_release:
            return ProbeResult(502, is_good=False, seconds=0.0, error="200 was wanted")
        return await good(asked)

    monkeypatch.setattr(world.outside.prober, "probe", probe)


async def test_a_command_runs_once_in_the_new_release() -> None:
    world = await deployed(command("true"))
    assert _executed(world) == ["shop-prod-r2-web-1"]


async def test_a_command_of_a_consumer_waits_until_it_is_up() -> None:
    world = await deployed(command("true", service="worker"), command("true", service="beat"))
    assert _executed(world) == ["shop-prod-r2-worker-1", "shop-prod-r2-beat-1"]


@pytest.mark.parametrize("service", ["web", "worker"])
async def test_a_command_that_ends_badly_refuses_the_release(service: str) -> None:
    with pytest.raises(ReleaseRefused, match="ended with exit code 1, 0 was wanted"):
        await deployed(command("false", service=service))


async def test_a_command_may_be_wanted_to_fail() -> None:
    await deployed(command("false", exit_code=1))


async def test_a_command_of_no_service_is_no_success() -> None:
    with pytest.raises(DeploymentFailed, match="the release runs no service wbe"):
        await deployed(command("true", service="wbe"))


async def test_a_host_of_another_environment_is_not_asked_publicly() -> None:
    world = await deployed(SmokeSpec("/ready", host="elsewhere.test"))
    assert isinstance(world.outside.prober, FakeProber)
    asked = [item.host for item in world.outside.prober.asked if item.smoke]
    assert asked == ["elsewhere.test", "shop.test"]


async def test_a_site_is_asked_publicly_only() -> None:
    world = empty_world()
    routes = (*release(1).routes, ReleaseRoute("/app", None, site="front"))
    await world.deploy(release(1, routes=routes, smoke=(SmokeSpec("/app"),)))
    assert paths(world) == [("/app", True)]


async def test_an_answer_of_another_release_is_no_success() -> None:
    world = empty_world()
    await world.deploy(release(1))
    found = await ask_publicly(world.outside, release(2), SmokeSpec("/ready"))
    assert found is not None
    assert found.error == "answered by shop-prod/r1"


def _executed(world: World) -> list[str]:
    return [subject for name, subject in world.engine.calls if name == "runtime.execute"]
