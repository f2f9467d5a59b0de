"""Alerts about certificates: opened once, closed with their cause, shown where people look."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, adoption, empty_world

from berthmaster.domain.domainpolicy import DomainPolicy
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.probing import Certificate
from berthmaster.ports.certificates import Asking, HeldCertificate
from berthmaster.ports.progress import Silence
from berthmaster.services.domains import elsewhere
from berthmaster.services.domains.names import NewDomain, add_domain
from berthmaster.services.domains.watch import alerts_of, open_alerts, watch_certificates
from berthmaster.services.read_health import Verdict, read_health
from berthmaster.services.read_status import read_status
from berthmaster.services.tick import tick
from berthmaster.testing.certificates import FakeCertificates
from berthmaster.testing.clock import FakeClock
from berthmaster.testing.prober import FakeProber

DAY = timedelta(days=1)
HOST = "acme.shop.test"
BUDGET = "shop.test: 45 of 50 certificates of 7 days are used"


@dataclass
class Scene:
    """A pooled shop with one tenant, and what the edge holds."""

    world: World = field(default_factory=empty_world)

    @property
    def certificates(self) -> FakeCertificates:
        assert isinstance(self.world.outside.certificates, FakeCertificates)
        return self.world.outside.certificates

    def holds(
        self, left: timedelta, *, life: timedelta = 90 * DAY, host: str = HOST, **more: bool
    ) -> None:
        now = self.world.outside.clock.now()
        held = HeldCertificate(host, (host,), "CN=ca", now + left - life, now + left, **more)
        self.certificates.certificates[host] = held

    async def look(self) -> Sequence[str]:
        return await watch_certificates(self.world.outside, always=True)

    @property
    def events(self) -> list[str]:
        found = self.world.outside.store.events(None)
        return [item.detail for item in found if item.what == "certificate_alerts"]


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.world.deploy(release(1))
    new = NewDomain(HOST, SHOP, "acme")
    await add_domain(made.world.outside, new, DomainPolicy("shop.test"))
    return made


async def test_a_certificate_that_is_not_renewed_is_told_once_and_closed_again(
    scene: Scene,
) -> None:
    scene.holds(14 * DAY)
    scene.certificates.reasons[HOST] = "the authority\nsaid no"
    (line,) = await scene.look()
    assert line.startswith(f"{HOST}: its certificate ends on ")
    assert line.endswith("UTC and is not renewed: the authority said no")
    assert await scene.look() == ()
    assert len(scene.events) == 1
    scene.holds(90 * DAY)
    scene.certificates.reasons.clear()
    assert await scene.look() == (f"{HOST}: its certificates are in order again",)
    assert open_alerts(scene.world.outside) == ()


@pytest.mark.parametrize(
    ("left", "life", "is_told"),
    [
        *((16 * DAY, 90 * DAY, False), (14 * DAY, 90 * DAY, True), (-DAY, 90 * DAY, True)),
        *((DAY * 1.1, 6 * DAY, False), (DAY * 0.9, 6 * DAY, True)),
        *((3 * DAY / 24, DAY / 2, False), (1.9 * DAY / 24, DAY / 2, True)),
    ],
)
async def test_what_is_late_depends_on_how_long_it_lives(
    scene: Scene, left: timedelta, life: timedelta, is_told: bool
) -> None:
    scene.holds(left, life=life)
    assert bool(await scene.look()) is is_told


async def test_a_certificate_that_is_due_is_visited_so_that_the_edge_renews_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    visited: list[str] = []

    async def certificate(
        self: FakeProber, address: str, port: int, host: str, *, timeout_seconds: float
    ) -> Certificate:
        visited.append(f"{address}:{port} {host}")
        scene.holds(90 * DAY)
        return Certificate()

    monkeypatch.setattr(FakeProber, "certificate", certificate)
    scene.holds(40 * DAY)
    assert (await scene.look(), visited) == ((), [])
    scene.holds(2 * DAY)
    assert await scene.look() == ()
    assert visited == [f"127.0.0.1:8443 {HOST}"]


async def test_an_imported_one_is_not_visited_but_told(scene: Scene) -> None:
    scene.holds(10 * DAY, life=365 * DAY, is_imported=True)
    (line,) = await scene.look()
    assert line.endswith("it was imported: import the next one")


async def test_a_host_of_ours_without_one_is_an_alert_and_a_strangers_is_none(
    scene: Scene,
) -> None:
    scene.certificates.reasons = {HOST: "DNS problem", "stranger.test": "not allowed"}
    assert await scene.look() == (f"{HOST}: it gets no certificate: DNS problem",)
    scene.holds(90 * DAY)
    assert await scene.look() == (f"{HOST}: its certificates are in order again",)


async def test_a_budget_near_its_end_is_an_alert_whatever_its_number(scene: Scene) -> None:
    scene.certificates.counted = Asking(alerts=(BUDGET, "250 of 300 orders of 3 hours are used"))
    assert await scene.look() == (BUDGET, "orders: 250 of 300 orders of 3 hours are used")
    scene.certificates.counted = Asking(alerts=(BUDGET.replace("45", "46"),))
    assert await scene.look() == ("orders: its certificates are in order again",)
    scene.certificates.counted = None  # it restarts: nobody knows better
    assert await scene.look() == ()
    assert [item.subject for item in open_alerts(scene.world.outside)] == ["shop.test"]


async def test_between_two_looks_only_budgets_are_asked_for(scene: Scene) -> None:
    clock = scene.world.engine.clock
    assert isinstance(clock, FakeClock)
    while clock.now().minute % 30 < 2:
        clock.advance(60)
    scene.holds(DAY)
    scene.certificates.counted = Asking(alerts=(BUDGET,))
    assert await watch_certificates(scene.world.outside) == (BUDGET,)
    while clock.now().minute % 30 >= 2:
        clock.advance(60)
    (line,) = await watch_certificates(scene.world.outside)
    assert line.startswith(HOST)
    clock.advance(600)
    assert await watch_certificates(scene.world.outside) == ()
    assert len(open_alerts(scene.world.outside)) == 2


async def test_people_see_it_where_they_look(scene: Scene) -> None:
    outside = scene.world.outside
    assert (await read_health(outside, SHOP)).verdict is Verdict.OK
    scene.holds(-DAY)
    await scene.look()
    report = await read_health(outside, SHOP)
    assert report.verdict is Verdict.DEGRADED
    assert report.cause is not None
    assert report.cause.startswith(f"certificate of {HOST}: its certificate ended on ")
    assert report.mend == "berth cert list"
    assert [item.subject for item in (await read_status(outside)).alerts] == [HOST]


async def test_a_budget_concerns_the_hosts_below_its_domain(scene: Scene) -> None:
    scene.certificates.counted = Asking(alerts=(BUDGET,))
    await scene.look()
    outside = scene.world.outside
    assert alerts_of(outside, ["acme.shop.test"]) == open_alerts(outside)
    assert alerts_of(outside, ["acme.myshop.test", "blog.test"]) == ()


async def test_housekeeping_goes_on_when_nobody_can_be_asked(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asking(self: FakeCertificates) -> Asking | None:
        raise OutsideError("the engine does not answer", subject="engine")

    monkeypatch.setattr(FakeCertificates, "asking", asking)
    assert await tick(scene.world.outside, Silence(), starts=True) == ()


async def test_housekeeping_tells_what_is_new(scene: Scene) -> None:
    scene.certificates.counted = Asking(alerts=(BUDGET,))
    assert await tick(scene.world.outside, Silence(), starts=True) == (BUDGET,)
    assert await tick(scene.world.outside, Silence()) == ()


async def test_somebody_is_told_of_each_new_alert_once(scene: Scene) -> None:
    told: list[str] = []

    class Person:
        async def tell(self, text: str) -> str | None:
            told.append(text)
            return "the program ended with 1"

    scene.certificates.counted = Asking(alerts=(BUDGET,))
    outside = replace(scene.world.outside, notifier=Person())
    said = await watch_certificates(outside)
    assert said == (BUDGET, "nobody was told: the program ended with 1")
    assert await watch_certificates(outside) == ()
    assert told == [BUDGET]


async def test_the_certificate_of_what_was_adopted_is_watched_too() -> None:
    """Release 0 is a release, whatever Python takes it for."""
    scene = Scene()
    await scene.world.carry_out(await adoption(scene.world))
    live = elsewhere.live_release(scene.world.outside, SHOP)
    assert live is not None
    scene.holds(14 * DAY, host=live.hosts[0])
    assert len(await scene.look()) == 1
