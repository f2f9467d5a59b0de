"""`berth rollout`: canaries, waves, a budget; paused, continued after a kill, and turned back."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.cli.customers import Customers

from berthmaster.domain.errors import OutsideError
from berthmaster.domain.rollout import LineState, RolloutState
from berthmaster.services import rollout as subject
from berthmaster.services.deploy import deploy

NAMES = ("a1", "a2", "a3", "b1", "b2")


@pytest.fixture
def five(customers: Customers) -> Customers:
    customers.add(*NAMES)
    return customers


def states(customers: Customers) -> dict[str, str]:
    found = customers.good("rollout", "show", "prod", "--json").json["tenants"]
    return {item["tenant"].rpartition("/")[2]: item["state"] for item in found}


def tags(customers: Customers) -> set[str | None]:
    return {customers.tag(name) for name in NAMES}


def test_every_tenant_gets_it_canaries_first(five: Customers) -> None:
    five.good("tenant", "label", "prod/b2", "canary=yes")
    answer = five.good("rollout", "prod", "--tag", "v2", "--wave", "2", "--parallel", "2")
    assert tags(five) == {"v2"}
    assert "is done: 5 done" in answer.out
    order = [
        line.split()[0].rpartition("/")[2] for line in answer.err.splitlines() if "done" in line
    ]
    assert order[0] == "b2"
    assert set(order[1:3]) == {"a1", "a2"}
    waves = {item.stack.tenant: item.wave for item in five.store.rollout("desk", "prod").lines}
    assert waves == {"b2": 0, "a1": 1, "a2": 1, "a3": 2, "b1": 2}


def test_one_with_bad_data_stops_its_wave(five: Customers) -> None:
    five.spoil("a2", 2)
    answer = five.berth("rollout", "prod", "--tag", "v2", "--wave", "2", "--parallel", "1")
    assert answer.code == 1
    assert states(five) == {
        "a1": "done",
        "a2": "failed",
        "a3": "pending",
        "b1": "pending",
        "b2": "pending",
    }
    assert [five.tag(name) for name in NAMES] == ["v2", "v1", "v1", "v1", "v1"]
    assert five.store.rollout("desk", "prod").state is RolloutState.STOPPED
    assert "berth rollout desk@prod --continue" in answer.out


def test_a_budget_lets_a_few_fail(five: Customers) -> None:
    five.spoil("a2", 2)
    five.good("rollout", "prod", "--tag", "v2", "--max-failed", "1")
    assert sorted(states(five).values()) == ["done"] * 4 + ["failed"]
    assert five.tag("a2") == "v1"


def test_what_failed_is_tried_again_by_a_continue(five: Customers) -> None:
    five.spoil("a2", 2)
    five.berth("rollout", "prod", "--tag", "v2", "--parallel", "1")
    five.good("rollout", "prod", "--continue")
    assert tags(five) == {"v2"}
    assert five.store.rollout("desk", "prod").state is RolloutState.DONE


def test_pinned_and_suspended_tenants_are_left_out(five: Customers) -> None:
    five.good("tenant", "pin", "prod/a1", "--because", "a contract")
    five.good("tenant", "suspend", "prod/a2")
    five.good("rollout", "prod", "--tag", "v2")
    found = five.good("rollout", "show", "prod").out
    assert "pinned: a contract" in found
    assert (five.tag("a1"), five.tag("a2"), five.tag("a3")) == ("v1", "v1", "v2")
    five.good("tenant", "unpin", "prod/a1")
    five.good("rollout", "prod", "--tag", "v2")
    assert five.tag("a1") == "v2"


def test_all_of_it_is_turned_back(five: Customers) -> None:
    five.good("rollout", "prod", "--tag", "v2")
    answer = five.good("rollout", "prod", "--back")
    assert tags(five) == {"v1"}
    assert "is returned: 5 back" in answer.out
    assert "is returned" in five.refused("rollout", "prod", "--continue")


def test_only_what_it_changed_is_turned_back(five: Customers) -> None:
    five.good("deploy", "prod/a1", "--tag", "v2")
    five.spoil("b1", 2)
    five.berth("rollout", "prod", "--tag", "v2", "--parallel", "1")
    five.good("rollout", "prod", "--back")
    assert [five.tag(name) for name in NAMES] == ["v2", "v1", "v1", "v1", "v1"]


def test_a_pause_lets_no_further_tenant_begin(
    five: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[str]()

    async def pausing(outside: Any, request: Any, *more: Any) -> Any:
        seen.append(str(request.stack.tenant))
        if len(seen) == 2:
            subject.pause(outside, "desk", "prod")
        return await deploy(outside, request, *more)

    monkeypatch.setattr(subject, "deploy", pausing)
    answer = five.good("rollout", "prod", "--tag", "v2", "--parallel", "1")
    assert seen == ["a1", "a2"]
    assert "is paused" in answer.out
    five.good("rollout", "prod", "--continue")
    assert tags(five) == {"v2"}
    assert "not running" in five.refused("rollout", "prod", "--pause")


def test_one_that_was_killed_is_continued_from_its_rows(five: Customers) -> None:
    five.good("rollout", "prod", "--tag", "v2")
    made = five.store.rollout("desk", "prod")
    five.good("rollback", "desk@prod/b1")
    # As a kill leaves it: one that had got it, and one that had not, both noted as running.
    for name in ("a1", "b1"):
        line = next(item for item in made.lines if item.stack == five.stack(name))
        five.store.set_rollout_line(made.id, replace(line, state=LineState.RUNNING, new=None))
    five.store.set_rollout_state(made.id, RolloutState.RUNNING)
    five.good("rollout", "prod", "--continue")
    assert tags(five) == {"v2"}
    assert set(states(five).values()) == {"done"}


def test_two_at_once_are_one_and_a_refusal(five: Customers) -> None:
    five.store.acquire_lease("rollout desk@prod", holder="ann (pid 1, `berth rollout`)", seconds=60)
    said = five.refused("rollout", "prod", "--tag", "v2", code=4)
    assert "ann" in said
    assert tags(five) == {"v1"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("prod",), "which version?"),
        (("prod", "--tag", "v2", "--back"), "one at a time"),
        (("show", "prod", "--tag", "v2"), "one at a time"),
        (("prod/a1", "--tag", "v2"), "a rollout is about an environment"),
        (("prod", "--tag", "v2", "--canary", "nobody"), "--canary names no tenant"),
        (("prod", "--continue"), "there was no rollout"),
    ],
)
def test_what_cannot_be_done_is_said(five: Customers, words: tuple[str, ...], why: str) -> None:
    assert why in five.refused("rollout", *words)


def test_a_listing_asks_the_store_a_few_times_only(five: Customers) -> None:
    from berthmaster.services.tenants.look import list_tenants

    found = asyncio.run(list_tenants(five.world.outside, "desk", "prod"))
    assert [line.tenant.slug for line in found] == list(NAMES)
    assert {line.state for line in found} == {"up"}


@pytest.mark.parametrize(
    ("words", "state", "tag"),
    [
        (("tenant", "pin", "prod/b1", "--because", "a contract"), "skipped", "v1"),
        (("tenant", "suspend", "prod/b1"), "skipped", "v1"),
        (("tenant", "remove", "prod/b1", "--confirm", "desk@prod/b1"), "skipped", None),
    ],
)
def test_what_became_of_a_tenant_meanwhile_counts_when_it_is_its_turn(
    five: Customers,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    state: str,
    tag: str | None,
) -> None:
    async def pausing(outside: Any, request: Any, *more: Any) -> Any:
        subject.pause(outside, "desk", "prod")
        return await deploy(outside, request, *more)

    with monkeypatch.context() as patched:
        patched.setattr(subject, "deploy", pausing)
        five.good("rollout", "prod", "--tag", "v2", "--parallel", "1")
    five.good(*words)
    five.good("rollout", "prod", "--continue")
    assert states(five) == {**dict.fromkeys(NAMES, "done"), "b1": state}
    assert five.tag("b1") == tag
    assert tag is not None or five.store.stack(five.stack("b1")) is None


def test_one_whose_new_release_serves_although_its_end_failed_is_turned_back_too(
    five: Customers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing_late(outside: Any, request: Any, *more: Any) -> Any:
        await deploy(outside, request, *more)
        raise OutsideError("tidying up is not done", subject="docker")

    with monkeypatch.context() as patched:
        patched.setattr(subject, "deploy", failing_late)
        five.berth("rollout", "prod", "--tag", "v2", "--parallel", "1")
    assert (five.tag("a1"), states(five)["a1"]) == ("v2", "failed")
    five.good("rollout", "prod", "--back")
    assert tags(five) == {"v1"}


def test_a_return_starts_nothing_of_a_tenant_that_was_suspended_meanwhile(five: Customers) -> None:
    five.good("rollout", "prod", "--tag", "v2")
    five.good("tenant", "suspend", "prod/a2")
    five.berth("rollout", "prod", "--back")
    containers = five.world.engine.containers.items()
    assert not [name for name, item in containers if "-a2-" in name and item.state == "running"]
    assert (five.state("a2"), five.tag("a1"), five.tag("a2")) == ("suspended", "v1", "v2")
    five.good("tenant", "unsuspend", "prod/a2")
    five.good("rollout", "prod", "--back")
    assert tags(five) == {"v1"}
