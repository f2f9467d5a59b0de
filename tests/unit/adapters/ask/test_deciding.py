import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from berthmaster.adapters.ask.budget import Budget, Limits
from berthmaster.adapters.ask.deciding import Decider
from berthmaster.adapters.ask.suffixes import Suffixes
from berthmaster.adapters.ask.table import AppQuestion, Table, write_apps

APP = AppQuestion("/api/internal/validate-domain/", "watch.test", "https")


@dataclass
class World:
    """A responder's surroundings: files, the edge's certificates, an app's answers, a clock."""

    folder: Path
    limits: Limits = field(default_factory=Limits)
    certificates: set[str] = field(default_factory=set)
    answers: dict[str, bool | None] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)
    now: float = 1_000_000.0

    def decider(self) -> Decider:
        table = Table(self.folder / "hosts.map", self.folder / "apps", frozenset({"https"}))
        has = self.certificates.__contains__
        budget = Budget(self.folder / "orders", has, Suffixes().registered, self.limits)
        return Decider(table, budget, has, self.ask, lambda: self.now)

    def hosts(self, *hosts: str) -> None:
        new = self.folder / "new"
        new.write_text("".join(f"https|{host} shop-prod\n" for host in hosts))
        new.replace(self.folder / "hosts.map")

    async def ask(self, app: AppQuestion, name: str) -> bool | None:
        self.questions.append(name)
        await asyncio.sleep(0)
        return self.answers.get(name, False)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.hosts("shop.test", "*.watch.test")
    return made


async def said(decider: Decider, name: str) -> str:
    return (await decider.decide(name)).reason


async def test_a_host_of_the_table_may_have_a_certificate_and_nothing_else(world: World) -> None:
    decider = world.decider()
    assert await said(decider, "shop.test") == "new order"
    assert await said(decider, "acme.watch.test") == "new order"
    for name in ("other.test", "a.b.watch.test", "watch.test", "www.shop.test"):
        assert not (await decider.decide(name)).is_allowed
    assert decider.counts == {"new order": 2, "unknown": 4}


async def test_a_host_of_a_plain_entrypoint_has_no_certificate(world: World) -> None:
    (world.folder / "hosts.map").write_text("stage|shop.test shop-stage\n")
    assert await said(world.decider(), "shop.test") == "unknown"


async def test_a_replaced_table_counts_from_the_next_question_on(world: World) -> None:
    decider = world.decider()
    assert await said(decider, "new.test") == "unknown"
    world.hosts("shop.test", "new.test")
    assert await said(decider, "new.test") == "new order"
    world.hosts("shop.test")
    assert await said(decider, "new.test") == "unknown"


async def test_a_damaged_list_of_apps_leaves_the_last_good_table(world: World) -> None:
    decider = world.decider()
    assert (await decider.decide("shop.test")).is_allowed
    (world.folder / "apps").write_text("{")
    world.hosts("other.test")
    assert (await decider.decide("shop.test")).is_allowed


async def test_an_app_with_a_suffix_has_the_last_word_and_is_asked_once(world: World) -> None:
    (world.folder / "apps").write_text(write_apps({"shop-prod": APP}))
    world.answers = {"acme.watch.test": True}
    decider = world.decider()
    assert await said(decider, "acme.watch.test") == "new order"
    world.certificates.add("acme.watch.test")
    assert await said(decider, "acme.watch.test") == "known"
    for _ in range(3):
        assert await said(decider, "evil.watch.test") == "unknown to the app"
    assert world.questions == ["acme.watch.test", "evil.watch.test"]
    world.now += 61
    assert await said(decider, "evil.watch.test") == "unknown to the app"
    assert len(world.questions) == 3


async def test_an_app_that_is_silent_is_believed_what_it_said_last(world: World) -> None:
    (world.folder / "apps").write_text(write_apps({"shop-prod": APP}))
    world.answers = {"acme.watch.test": True, "new.watch.test": None}
    decider = world.decider()
    assert (await decider.decide("acme.watch.test")).is_allowed
    world.answers["acme.watch.test"], world.now = None, world.now + 400
    assert (await decider.decide("acme.watch.test")).is_allowed
    assert await said(decider, "new.watch.test") == "the app did not answer"
    world.answers["new.watch.test"] = True
    assert await said(decider, "new.watch.test") == "new order"  # no answer is not remembered


async def test_made_up_names_do_not_become_a_flood_of_questions(world: World) -> None:
    (world.folder / "apps").write_text(write_apps({"shop-prod": APP}))
    decider = world.decider()
    for number in range(500):
        assert not (await decider.decide(f"x{number}.watch.test")).is_allowed
    assert len(world.questions) == 40
    assert decider.counts["apps spared"] == 460


async def test_two_who_ask_at_once_are_one_question_and_one_order(world: World) -> None:
    (world.folder / "apps").write_text(write_apps({"shop-prod": APP}))
    world.answers = {"acme.watch.test": True}
    decider = world.decider()
    found = await asyncio.gather(*(decider.decide("acme.watch.test") for _ in range(20)))
    assert all(item.is_allowed for item in found)
    assert world.questions == ["acme.watch.test"]
    assert decider.counts["new order"] == 1


async def test_a_domain_is_refused_before_the_authority_would_refuse_it(world: World) -> None:
    world.hosts("shop.test", *(f"t{number}.watch.test" for number in range(100)))
    decider = world.decider()
    reasons = []
    for number in range(60):
        reasons.append(await said(decider, f"t{number}.watch.test"))
        world.certificates.add(f"t{number}.watch.test")
        world.now += 60
    assert reasons.count("new order") == 45
    assert reasons[45:] == ["budget: watch.test is close to 50 new certificates in 7 days"] * 15
    assert await said(decider, "shop.test") == "new order"  # another registered domain
    assert await said(decider, "t3.watch.test") == "known"  # and what is there is served
    assert decider.budget.alerts(world.now) == (
        "watch.test: 45 of 50 certificates of 7 days are used",
    )
    world.now += 7 * 24 * 3600
    assert await said(decider, "t99.watch.test") == "new order"


async def test_names_that_anybody_can_make_up_leave_half_for_those_that_a_row_names(
    world: World,
) -> None:
    decider = world.decider()
    reasons = [await said(decider, f"x{number}.watch.test") for number in range(30)]
    assert reasons.count("new order") == 22
    assert reasons[-1].startswith("budget: names that only a suffix of watch.test lets in")
    world.hosts("*.watch.test", "acme.watch.test")
    assert await said(decider, "acme.watch.test") == "new order"
    again = world.decider()  # a restart knows which were which
    assert (await said(again, "x40.watch.test")).startswith("budget: ")
    world.now += 7 * 24 * 3600 + 1
    assert await said(again, "x40.watch.test") == "new order"


async def test_what_an_app_vouches_for_is_not_made_up(world: World) -> None:
    (world.folder / "apps").write_text(write_apps({"shop-prod": APP}))
    world.answers = {f"t{number}.watch.test": True for number in range(30)}
    decider = world.decider()
    reasons = [await said(decider, f"t{number}.watch.test") for number in range(30)]
    assert reasons == ["new order"] * 30


async def test_a_decision_looks_at_no_other_names_orders(world: World) -> None:
    world.limits = Limits(*[10**9] * 4)
    names = [f"t{number}.watch.test" for number in range(2000)]
    world.hosts(*names)
    decider = world.decider()
    for name in names:
        assert await said(decider, name) == "new order"
    looked: list[str] = []

    def has_certificate(name: str) -> bool:
        looked.append(name)
        return False

    decider.budget._has_certificate = has_certificate
    assert await said(decider, names[0]) == "being ordered"
    assert decider.budget.refusal("more.watch.test", world.now) == ""
    assert looked == []


async def test_a_name_that_keeps_failing_is_left_alone_within_the_hour(world: World) -> None:
    decider = world.decider()
    reasons = []
    for _ in range(6):
        reasons.append(await said(decider, "shop.test"))
        world.now += 130
    assert reasons.count("new order") == 4
    assert reasons[-1] == "budget: shop.test failed to get one 4 times within the hour"
    world.now += 3600
    assert await said(decider, "shop.test") == "new order"


async def test_a_certificate_that_is_deleted_again_and_again_is_refused(world: World) -> None:
    decider = world.decider()
    for _ in range(4):
        assert await said(decider, "shop.test") == "new order"
        world.certificates.add("shop.test")
        decider.budget.settle(world.now)
        world.certificates.clear()
        world.now += 4000
    assert (await said(decider, "shop.test")).startswith("budget: shop.test had 5 certificates")


async def test_the_account_has_a_budget_too(world: World) -> None:
    world.limits = Limits(account_three_hours=10)
    world.hosts(*(f"shop{number}.test" for number in range(12)))
    decider = world.decider()
    found = [await said(decider, f"shop{number}.test") for number in range(12)]
    assert found.count("new order") == 9
    assert found[-1] == "budget: this account is close to 10 orders in 3 hours"


async def test_a_restart_forgets_no_order(world: World) -> None:
    world.limits = Limits(domain_week=3)
    world.hosts("a.watch.test", "b.watch.test", "c.watch.test")
    first = world.decider()
    assert await said(first, "a.watch.test") == "new order"
    assert await said(first, "b.watch.test") == "new order"
    (world.folder / "orders").open("a").write("17000.0 pend")  # torn by a crash
    second = world.decider()
    assert (await said(second, "c.watch.test")).startswith("budget: ")
    assert await said(second, "a.watch.test") == "being ordered"
    second.budget.compact(world.now)
    assert len((world.folder / "orders").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("a.b.shop.co.uk", "shop.co.uk"),
        ("shop.co.uk", "shop.co.uk"),
        ("x.y.shop.test", "shop.test"),
        ("a.b.city.kawasaki.jp", "city.kawasaki.jp"),
        ("a.b.c.kawasaki.jp", "b.c.kawasaki.jp"),
        ("co.uk", "co.uk"),
    ],
)
def test_limits_count_by_registered_domain(name: str, domain: str) -> None:
    rules = Suffixes(["// a comment", "uk", "co.uk", "jp", "*.kawasaki.jp", "!city.kawasaki.jp"])
    assert rules.registered(name) == domain


def test_without_a_list_two_domains_may_count_as_one_but_never_one_as_two() -> None:
    guessed = Suffixes().registered
    assert guessed("a.shop.co.uk") == guessed("b.shop.co.uk") == "shop.co.uk"
    assert guessed("a.example.com") == "example.com"
    assert guessed("a.me.github.io") == guessed("b.you.github.io") == "github.io"
