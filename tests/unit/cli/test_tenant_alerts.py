"""What housekeeping tells of tenants before their customers do: full disks, ends that are near."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.cli.customers import BERTHFILE, Customers

from berthmaster.services.tenants.watch import MEASURED_EVERY


class Told:
    """Somebody who listens."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.problem: str | None = None

    async def tell(self, text: str) -> str | None:
        self.lines.append(text)
        return self.problem


@pytest.fixture
def told(customers: Customers) -> Told:
    made = Told()
    shop = customers.shop
    shop.world.outside = replace(shop.world.outside, notifier=made)
    return made


def declare(customers: Customers, text: str) -> None:
    customers.write("berth.yaml", BERTHFILE.replace("  sizes:", f"{text}\n  sizes:"))


def hold(customers: Customers, megabytes: int) -> None:
    """Let every volume hold so much, and time pass until it is looked at again."""
    answer = f"{megabytes * 1024}\t/var/lib\n".encode()
    customers.world.outside.runtime.programs["du"] = lambda container, words, source: (0, answer)
    customers.world.outside.clock.advance(MEASURED_EVERY.total_seconds())


def alerts(customers: Customers) -> dict[str, str]:
    (found,) = customers.good("tenant", "list", "--json").json["tenants"]
    assert isinstance(found["alerts"], dict)
    return found["alerts"]


def test_a_tenant_that_holds_too_much_is_told_of_once_until_it_holds_less(
    customers: Customers, told: Told
) -> None:
    declare(customers, "  disk: 1g")
    customers.add("acme")
    hold(customers, 900)
    assert "it holds" not in customers.good("tick").out
    hold(customers, 2048)
    said = "desk@prod/acme: it holds 2.15 GB, and may hold 1.07 GB"
    assert said in customers.good("tick").out
    hold(customers, 2048)
    assert "it holds" not in customers.good("tick").out
    assert told.lines == [said]
    assert "it holds 2.15 GB" in customers.good("tenant", "list").out
    assert customers.state("acme") == "active"
    hold(customers, 100)
    customers.good("tick")
    assert alerts(customers) == {}
    whats = [item.what for item in customers.store.events(customers.stack("acme"))]
    assert (whats.count("tenant_alert_opened"), whats.count("tenant_alert_closed")) == (1, 1)


def test_where_it_is_declared_a_tenant_over_its_disk_is_suspended(
    customers: Customers, told: Told
) -> None:
    declare(customers, "  disk: {small: 1g}\n  over_disk: suspend")
    customers.good("tenant", "add", "prod/acme", "--tag", "v1", "--resources", "small")
    customers.add("beta")  # of no size: it has no limit
    hold(customers, 2048)
    assert "it is suspended, as `over_disk` says" in customers.good("tick").out
    assert (customers.state("acme"), customers.state("beta")) == ("suspended", "active")
    assert len(told.lines) == 1


def test_volumes_are_not_read_again_and_again(customers: Customers, told: Told) -> None:
    declare(customers, "  disk: 1g")
    customers.add("acme")
    hold(customers, 900)
    customers.good("tick")
    answer = f"{2048 * 1024}\t/var/lib\n".encode()
    customers.world.outside.runtime.programs["du"] = lambda container, words, source: (0, answer)
    customers.good("tick")
    assert alerts(customers) == {}
    hold(customers, 2048)
    customers.good("deploy", "prod/acme", "--tag", "v2")  # housekeeping before it reads no volume
    assert alerts(customers) == {}
    customers.good("tick")
    assert list(alerts(customers)) == ["disk"]


def test_a_size_that_nobody_says_changes_no_alert(customers: Customers, told: Told) -> None:
    declare(customers, "  disk: 1g")
    customers.add("acme")
    hold(customers, 2048)
    customers.good("tick")
    customers.world.outside.runtime.programs["du"] = lambda container, words, source: (1, b"")
    customers.world.outside.clock.advance(MEASURED_EVERY.total_seconds())
    customers.good("tick")
    assert list(alerts(customers)) == ["disk"]


def test_an_end_that_is_near_is_told_of_by_any_command(customers: Customers, told: Told) -> None:
    day = f"{customers.world.outside.clock.now() + timedelta(days=2):%Y-%m-%d}"
    customers.good("tenant", "add", "prod/acme", "--tag", "v1", "--expires", day)
    customers.add("beta")
    assert told.lines == [f"desk@prod/acme: its time is over on {day}; it is suspended then"]
    assert f"its time is over on {day}" in customers.good("tenant", "list").out


def test_a_program_that_fails_is_told_of_and_stops_nothing(
    customers: Customers, told: Told
) -> None:
    declare(customers, "  disk: 1g")
    told.problem = "page: exit 1"
    customers.add("acme")
    hold(customers, 2048)
    assert "nobody was told: page: exit 1" in customers.good("tick").out
    assert list(alerts(customers)) == ["disk"]


@pytest.mark.parametrize(
    ("line", "why"),
    [("  disk: 5", "disk"), ("  disk: {small: much}", "disk"), ("  over_disk: shout", "over_disk")],
)
def test_a_limit_that_is_none_is_refused(customers: Customers, line: str, why: str) -> None:
    declare(customers, line)
    assert why in customers.refused("tenant", "add", "prod/acme", "--tag", "v1")
