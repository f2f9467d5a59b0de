"""While a port changes hands there is always exactly one who answers a new connection to it."""

from typing import Any

import pytest
from tests.builders import SHOP
from tests.unit.engine.test_every_plan import prepare, run
from tests.unit.engine.worlds import World

from berthmaster.domain.probing import Probe, ProbeResult
from berthmaster.engine.effects import Effects, Work
from berthmaster.engine.failpoints import Failpoint
from berthmaster.testing.host import FakeHost
from berthmaster.testing.prober import FakeProber

PORT = 443
STEPS = {"hand_over": 8, "hand_back": 5}


def who_answers(world: World) -> str:
    """As the kernel would decide: a redirect first, then who listens there."""
    taken, proxy = world.gateway.taken, world.engine.containers["old-proxy-1"]
    listening = ["gateway"] if taken is not None and taken.listens else []
    listening += ["proxy"] if proxy.state == "running" else []
    assert len(listening) < 2, "two cannot listen on one port"
    if any(item.port == PORT for item in world.firewall.led):
        return "gateway"
    return next(iter(listening), "nobody")


def watched(monkeypatch: pytest.MonkeyPatch, world: World) -> list[str]:
    """Who answers after each effect from now on."""
    seen: list[str] = []
    original = Effects.perform

    async def perform(self: Effects, action: Any, work: Work) -> str:
        done = await original(self, action, work)
        seen.append(who_answers(world))
        return done

    monkeypatch.setattr(Effects, "perform", perform)
    return seen


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("hand_over", "proxy", "gateway"), ("hand_back", "gateway", "proxy")],
)
async def test_somebody_answers_at_every_step(
    name: str, before: str, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = await prepare(name)
    assert who_answers(world) == before
    answers = watched(monkeypatch, world)
    await run(world, plan)
    assert len(answers) == len(plan.steps) == STEPS[name]
    assert "nobody" not in answers
    assert answers[-1] == after


@pytest.mark.parametrize(
    ("refusals", "said"), [(3, "it answers again"), (1000, "it listens again")]
)
async def test_a_proxy_gets_its_ports_back_when_it_answers_but_not_never(
    refusals: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = await prepare("hand_back")
    world.engine.containers["old-proxy-1"].addresses = {"old_default": "172.28.0.9"}
    led, original = list[bool](), FakeProber.probe

    async def probe(self: FakeProber, asked: Probe) -> ProbeResult:
        if asked.address != "172.28.0.9":
            return await original(self, asked)
        led.append(bool(world.firewall.led))
        assert (asked.port, asked.host, asked.is_tls) == (443, "shop.test", True)
        assert not asked.checks_certificate  # its owner's, which this machine need not trust
        return ProbeResult(404 if len(led) <= refusals else 200, is_good=True, seconds=0.0)

    monkeypatch.setattr(FakeProber, "probe", probe)
    await run(world, plan)
    assert len(led) > 3
    assert all(led)
    told = [
        row.detail
        for row in world.outside.store.journal(world.outside.store.deployments(SHOP)[0].id)
    ]
    assert any(said in line for line in told)


async def test_a_port_that_is_let_go_of_late_is_waited_for_but_not_for_ever() -> None:
    world, plan = await prepare("hand_over")
    assert isinstance(world.outside.host, FakeHost)
    world.outside.host.owners[PORT] = "docker-proxy for 172.17.0.2"
    start = world.outside.clock.monotonic()
    await run(world, plan)
    assert 10 <= world.outside.clock.monotonic() - start < 15
    assert who_answers(world) == "gateway"


@pytest.mark.parametrize(
    ("name", "step"), [(name, step + 1) for name, count in STEPS.items() for step in range(count)]
)
@pytest.mark.parametrize("point", ["before", "after_unrecorded"])
async def test_somebody_answers_all_the_way_back(
    name: str, step: int, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, plan = await prepare(name)
    before, answers = who_answers(world), watched(monkeypatch, world)
    await run(world, plan, Failpoint(str(step), point, how="fail"))
    assert "nobody" not in answers
    assert who_answers(world) == before
