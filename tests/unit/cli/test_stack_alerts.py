"""A stack that is unwell, and a rollout that stops, go to whoever is told of alerts."""

import pytest
from tests.unit.cli.customers import Customers
from tests.unit.cli.listener import Told, listening

from berthmaster.domain.deployment import DeploymentState
from berthmaster.domain.rollout import RolloutState
from berthmaster.services.tell import MOST
from berthmaster.services.watch_stacks import QUIET
from berthmaster.testing.behaviour import HEALTHY, Behaviour

ACME = "desk@prod/acme: it is degraded: 1 of 2 containers run"


@pytest.fixture
def told(customers: Customers) -> Told:
    return listening(customers.shop)


def end_web(customers: Customers, name: str) -> None:
    """It ends now, and again whenever it is started."""
    web = customers.world.engine.containers[f"desk-prod-{name}-r1-web-1"]
    web.behaviour = Behaviour(exit_code=1)
    web.end(1, customers.world.outside.clock.now())


def start_web(customers: Customers, name: str) -> None:
    web = customers.world.engine.containers[f"desk-prod-{name}-r1-web-1"]
    web.behaviour = HEALTHY
    web.start(customers.world.outside.clock.now())


def look(customers: Customers, seconds: float = 60.0) -> str:
    """What the timer does, a minute later."""
    customers.world.outside.clock.advance(seconds)
    return customers.good("tick").out


@pytest.mark.requirement("R247")
def test_a_stack_that_is_unwell_at_two_looks_is_told_of_once(
    customers: Customers, told: Told
) -> None:
    customers.add("acme", "beta")
    end_web(customers, "acme")
    assert ACME not in look(customers)
    assert ACME in look(customers)
    assert ACME not in look(customers)
    assert told.lines == [ACME]


def test_what_is_mended_before_the_second_look_is_no_news(customers: Customers, told: Told) -> None:
    customers.add("acme")
    end_web(customers, "acme")
    look(customers)
    start_web(customers, "acme")
    look(customers)
    end_web(customers, "acme")
    look(customers)
    assert told.lines == []


def test_two_looks_at_once_count_as_one(customers: Customers, told: Told) -> None:
    customers.add("acme")
    end_web(customers, "acme")
    look(customers)
    look(customers, 0)
    assert told.lines == []


def test_one_that_comes_and_goes_is_told_of_once(customers: Customers, told: Told) -> None:
    customers.add("acme")
    for _ in range(4):
        end_web(customers, "acme")
        look(customers)
        look(customers)
        start_web(customers, "acme")
        look(customers)
    assert told.lines == [ACME]


def test_one_that_was_well_for_a_while_is_told_of_again(customers: Customers, told: Told) -> None:
    customers.add("acme")
    for _ in range(2):
        end_web(customers, "acme")
        look(customers)
        look(customers)
        start_web(customers, "acme")
        look(customers)
        assert "desk@prod/acme: its alert is over" in look(customers, QUIET.total_seconds())
    assert told.lines == [ACME, ACME]
    whats = [item.what for item in customers.store.events(customers.stack("acme"))]
    assert (whats.count("stack_alert_opened"), whats.count("stack_alert_closed")) == (2, 2)


def test_a_suspended_tenant_and_one_in_maintenance_are_no_alert(
    customers: Customers, told: Told
) -> None:
    customers.add("acme", "beta")
    customers.good("tenant", "suspend", "prod/acme")
    customers.good("maintenance", "on", "prod/beta")
    end_web(customers, "beta")
    look(customers)
    look(customers)
    assert told.lines == []


def test_an_alert_ends_with_the_stack_that_is_closed(customers: Customers, told: Told) -> None:
    customers.add("acme")
    end_web(customers, "acme")
    look(customers)
    look(customers)
    customers.good("tenant", "suspend", "prod/acme")
    assert "desk@prod/acme: its alert is over" in look(customers)
    assert told.lines == [ACME]


def test_a_stack_that_somebody_changes_is_judged_later(customers: Customers, told: Told) -> None:
    customers.add("acme")
    end_web(customers, "acme")
    stack = str(customers.stack("acme"))
    lease = customers.store.acquire_lease(stack, holder="somebody", seconds=600)
    look(customers)
    look(customers)
    assert told.lines == []
    customers.store.release_lease(lease)
    look(customers)
    look(customers)
    assert told.lines == [ACME]


def test_a_deployment_that_waits_for_a_person_is_told_of(customers: Customers, told: Told) -> None:
    customers.add("acme")
    customers.spoil("acme", 2)
    for _ in range(20):
        customers.world.engine.fail_next("runtime.remove")
    assert customers.berth("deploy", "prod/acme", "--tag", "v2").code != 0
    (deployment,) = customers.store.unfinished()
    assert deployment.state is DeploymentState.STUCK
    look(customers)
    look(customers)
    line = f"desk@prod/acme: {deployment.label} (deploy) is stuck and waits for a person"
    assert told.lines == [line]


def test_of_many_the_first_are_told_and_the_rest_is_counted(
    customers: Customers, told: Told
) -> None:
    names = [f"t{number:02}" for number in range(MOST + 3)]
    customers.add(*names)
    for name in names:
        end_web(customers, name)
    look(customers)
    look(customers)
    assert len(told.lines) == MOST + 1
    assert told.lines[-1] == "and 3 more: berth status"
    look(customers)
    assert len(told.lines) == MOST + 1


def test_when_nobody_could_be_told_it_is_tried_again(customers: Customers, told: Told) -> None:
    customers.add("acme")
    end_web(customers, "acme")
    told.problem = "page: exit 1"
    look(customers)
    assert "nobody was told: page: exit 1" in look(customers)
    told.problem = None
    assert ACME in look(customers)
    look(customers)
    assert told.lines == [ACME, ACME]


def test_a_rollout_that_stops_is_told_of(customers: Customers, told: Told) -> None:
    customers.add("acme", "beta", "gamma")
    customers.spoil("acme", 2)
    assert customers.berth("rollout", "prod", "--tag", "v2").code == 1
    assert customers.store.rollout("desk", "prod").state is RolloutState.STOPPED
    assert told.lines == [
        "desk@prod: the rollout to v2 stopped: 1 of 3 tenants failed (acme), and 0 may; "
        "next: berth rollout show desk@prod"
    ]


def test_a_rollout_within_its_budget_is_told_to_nobody(customers: Customers, told: Told) -> None:
    customers.add("acme", "beta")
    customers.spoil("acme", 2)
    customers.good("rollout", "prod", "--tag", "v2", "--max-failed", "1")
    assert told.lines == []


def test_a_rollout_whose_end_nobody_could_be_told_says_so(customers: Customers, told: Told) -> None:
    customers.add("acme", "beta")
    customers.spoil("acme", 2)
    told.problem = "page: exit 1"
    answer = customers.berth("rollout", "prod", "--tag", "v2")
    assert answer.code == 1
    assert "nobody was told: page: exit 1" in answer.err
