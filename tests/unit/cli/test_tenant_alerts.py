"""What housekeeping tells of tenants before their customers do: full disks, ends that are near."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.cli.customers import BERTHFILE, Customers
from tests.unit.cli.listener import Told, listening

from berthmaster.domain.errors import OutsideError
from berthmaster.services.tenants.watch import MEASURED_EVERY


@pytest.fixture
def told(customers: Customers) -> Told:
    return listening(customers.shop)


def declare(customers: Customers, text: str) -> None:
    customers.write("berth.yaml", BERTHFILE.replace("  sizes:", f"{text}\n  sizes:"))


def hold(customers: Customers, megabytes: int) -> None:
    """Let every volume hold so much, and time pass until it is looked at again."""
    fill(customers, megabytes)
    customers.world.outside.clock.advance(MEASURED_EVERY.total_seconds())


def fill(customers: Customers, megabytes: int | None) -> None:
    """Let every volume hold so much; None: nobody can say."""
    engine = customers.world.engine
    held = dict.fromkeys(engine.volumes, (megabytes or 0) * 1024 * 1024)
    engine.volume_bytes = {} if megabytes is None else held


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
    fill(customers, 2048)
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
    fill(customers, None)
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


def counted(customers: Customers, *words: str) -> tuple[dict[str, Any], Counter[str]]:
    """Disk and memory by tenant, and the calls that it took."""
    before = len(customers.world.engine.calls)
    found = customers.good(*words, "--json").json["tenants"]
    assert isinstance(found, list)
    calls = Counter(method for method, _ in customers.world.engine.calls[before:])
    return {
        item["tenant"].rpartition("/")[2]: (item["disk_bytes"], item["memory_bytes"])
        for item in found
    }, calls


def test_sizes_of_many_tenants_run_nothing_inside_their_containers(customers: Customers) -> None:
    names = [f"t{number}" for number in range(12)]
    customers.add(*names)
    fill(customers, 3)
    sizes, calls = counted(customers, "tenant", "list", "--sizes")
    assert sizes == dict.fromkeys(names, (3 * 1024 * 1024, 2))  # a byte for web, one for db
    taken = (calls["runtime.volume_sizes"], calls["runtime.memory"], calls["runtime.execute"])
    assert taken == (1, 1, 0)


def test_a_volume_that_the_engine_does_not_measure_is_read_by_its_container(
    customers: Customers,
) -> None:
    customers.add("acme", "beta")
    engine = customers.world.engine
    engine.volume_bytes = {"desk-prod-acme_rows": 5}
    programs = customers.world.outside.runtime.programs
    programs["du"] = lambda container, words, source: (0, b"7\t/var/lib\n")
    sizes, calls = counted(customers, "tenant", "list", "--sizes")
    assert sizes == {"acme": (5, 2), "beta": (7 * 1024, 2)}
    assert calls["runtime.execute"] == 1


def test_a_count_that_the_engine_refuses_is_made_by_each_container(customers: Customers) -> None:
    customers.add("acme")
    programs = customers.world.outside.runtime.programs
    programs["du"] = lambda container, words, source: (0, b"7\t/var/lib\n")
    busy = OutsideError("a disk usage operation is already running", subject="volumes")
    customers.world.engine.fail_next("runtime.volume_sizes", busy)
    sizes, _ = counted(customers, "tenant", "list", "--sizes")
    assert sizes == {"acme": (7 * 1024, 2)}


@pytest.mark.parametrize(
    ("line", "why"),
    [("  disk: 5", "disk"), ("  disk: {small: much}", "disk"), ("  over_disk: shout", "over_disk")],
)
def test_a_limit_that_is_none_is_refused(customers: Customers, line: str, why: str) -> None:
    declare(customers, line)
    assert why in customers.refused("tenant", "add", "prod/acme", "--tag", "v1")


def end_web(customers: Customers, name: str) -> None:
    engine = customers.world.engine
    engine.containers[f"desk-prod-{name}-r1-web-1"].end(1, customers.world.outside.clock.now())


def open_in_status(customers: Customers, *words: str) -> dict[tuple[str, str], str]:
    """What `status --json` says: the next command by tenant and kind."""
    found = customers.good("status", *words, "--json").json["alerts"]
    assert isinstance(found, list)
    return {(item["subject"], item["kind"]): item["next"] for item in found}


@pytest.mark.requirement("R247")
def test_what_is_noted_of_a_tenant_is_in_status_and_health(
    customers: Customers, told: Told
) -> None:
    declare(customers, "  disk: 1g")
    day = f"{customers.world.outside.clock.now() + timedelta(days=2):%Y-%m-%d}"
    customers.good("tenant", "add", "prod/acme", "--tag", "v1", "--expires", day)
    customers.add("beta")
    hold(customers, 900)
    customers.good("tick")
    assert list(open_in_status(customers)) == [("desk@prod/acme", "expires")]
    hold(customers, 2048)
    customers.good("tick")
    acme = "desk@prod/acme"
    assert open_in_status(customers, "prod/acme") == {
        (acme, "disk"): f"berth tenant show {acme}",
        (acme, "expires"): f"berth tenant set {acme} --expires 30d",
    }
    said = customers.good("status").err
    assert f"{acme}: it holds 2.15 GB, and may hold 1.07 GB\n  next: berth tenant show" in said
    health = customers.berth("health", "prod/acme", "--json")
    assert health.code == 1
    seen = {item["subject"]: item["mend"] for item in health.json["findings"] if item["mend"]}
    assert seen["tenant's disk"] == f"berth tenant show {acme}"
    assert seen["tenant's expires"] == f"berth tenant set {acme} --expires 30d"
    customers.good("tenant", "set", "prod/acme", "--expires", "never")
    hold(customers, 100)
    customers.good("tick")
    assert open_in_status(customers) == {}
    assert customers.good("health", "prod/acme").code == 0


def test_a_tenant_that_a_rollout_left_behind_is_an_alert_until_it_has_the_version(
    customers: Customers,
) -> None:
    customers.add("acme", "beta")
    customers.spoil("beta", 2)
    assert customers.berth("rollout", "prod", "--tag", "v2").code == 1
    key = ("desk@prod/beta", "rollout")
    assert open_in_status(customers) == {key: "berth rollout show desk@prod"}
    line = "the rollout to v2 failed here, v1 serves: "
    assert line in customers.good("status").err
    assert line in customers.good("tenant", "list").out
    assert customers.berth("health", "prod/beta").code == 1
    assert customers.good("health", "prod/acme").code == 0
    customers.good("deploy", "prod/beta", "--tag", "v2")  # by hand, and as its third release
    assert open_in_status(customers) == {}


def test_a_rollout_that_was_taken_back_is_no_alert(customers: Customers) -> None:
    customers.add("acme", "beta")
    customers.spoil("beta", 2)
    assert customers.berth("rollout", "prod", "--tag", "v2").code == 1
    customers.good("rollout", "prod", "--back")
    assert open_in_status(customers) == {}


def test_a_tenant_that_is_down_is_an_alert_and_a_suspended_one_is_not(
    customers: Customers,
) -> None:
    customers.add("acme", "beta")
    end_web(customers, "acme")
    acme = "desk@prod/acme"
    assert open_in_status(customers) == {(acme, "health"): f"berth health {acme}"}
    assert f"{acme}: it is degraded: 1 of 2 containers run" in customers.good("status").err
    customers.good("tenant", "suspend", "prod/acme")
    assert open_in_status(customers) == {}


def test_of_many_alerts_some_are_shown_and_the_rest_is_counted(customers: Customers) -> None:
    names = [f"t{number}" for number in range(7)]
    customers.add(*names)
    for name in names:
        end_web(customers, name)
    said = customers.good("status").err
    assert said.count("next: berth health") == 5
    assert "and 2 more: berth --json status" in said
