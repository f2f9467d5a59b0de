"""What commands print about a shop with a live and a warm release."""

import pytest
from tests.builders import SHOP
from tests.unit.cli.shop import Shop

from berthmaster.domain.errors import RuntimeUnavailable
from berthmaster.domain.routing import RouteTable
from berthmaster.testing.behaviour import Behaviour


def test_status_shows_the_live_release_and_the_warm_one(live_shop: Shop) -> None:
    head, row = live_shop.berth("status").out.splitlines()
    assert head.split() == ["STACK", "STATE", "RELEASE", "TAG", "AGE", "CONTAINERS", "NOTES"]
    assert row.startswith("shop@prod  up     r2       v2")
    assert row.endswith("r1 warm")


def test_status_as_json_is_stable(live_shop: Shop) -> None:
    found = live_shop.berth("status", "--json").json
    assert found.keys() == {"stacks", "engine_error", "alerts"}
    assert found["stacks"][0]["state"] == "up"
    assert found["stacks"][0].keys() == {
        "stack", "state", "release", "tag", "revision", "since", "running", "containers",
        "unhealthy", "warm", "unfinished", "held_because", "kept",
    }  # fmt: skip


def test_status_works_without_an_engine_and_says_so(live_shop: Shop) -> None:
    gone = RuntimeUnavailable("the engine does not answer", subject="docker")
    live_shop.world.engine.fail_next("runtime.containers", gone)
    answer = live_shop.berth("status")
    assert answer.code == 0
    assert "unknown" in answer.out
    assert "the engine does not answer" in answer.err


def test_status_of_an_empty_server_says_how_to_begin(shop: Shop) -> None:
    assert "berth init" in shop.berth("status").out


def test_health_of_a_good_stack_is_ok(live_shop: Shop) -> None:
    answer = live_shop.berth("health")
    assert answer.code == 0
    assert "shop@prod  r2 is ok" in answer.out


@pytest.mark.requirement("R116")
def test_health_of_a_dead_service_names_cause_and_command(live_shop: Shop) -> None:
    world = live_shop.world
    for number in (1, 2):
        name = f"shop-prod-r2-web-{number}"
        world.engine.containers[name].end(137, world.outside.clock.now())
    answer = live_shop.berth("health", "prod", "--json")
    assert answer.code == 1
    assert answer.json["verdict"] == "down"
    assert "exit code 137" in answer.json["cause"]
    assert answer.json["mend"] == "berth logs shop@prod web"


def test_health_in_maintenance_is_degraded_and_not_an_outage(live_shop: Shop) -> None:
    live_shop.berth("maintenance", "on")
    found = live_shop.berth("health", "--json").json
    assert found["verdict"] == "degraded"
    assert found["mend"] == "berth maintenance off shop@prod"


def test_rollback_switches_and_says_the_way_back(live_shop: Shop) -> None:
    answer = live_shop.berth("rollback")
    assert answer.code == 0
    assert answer.out.startswith("shop@prod  r1 is live  (d3,")
    assert "turn back: berth rollback shop@prod --to r2" in answer.out
    assert "switch r2 -> r1" in answer.err


def test_rollback_plan_changes_nothing(live_shop: Shop) -> None:
    answer = live_shop.berth("rollback", "--plan")
    record = live_shop.world.outside.store.stack(SHOP)
    assert "switch r2 -> r1" in answer.out
    assert record is not None
    assert record.live == 2


def test_releases_lists_newest_first(live_shop: Shop) -> None:
    found = live_shop.berth("releases", "--json").json["releases"]
    assert [(item["release"], item["state"]) for item in found] == [(2, "live"), (1, "warm")]


def test_show_prints_the_timeline_of_a_deployment(live_shop: Shop) -> None:
    answer = live_shop.berth("show", "d2")
    assert "shop@prod  d2  deploy  r2  succeeded" in answer.out
    assert "switch r1 -> r2" in answer.out


def test_show_prints_a_release_with_the_names_of_its_settings_only(live_shop: Shop) -> None:
    answer = live_shop.berth("show", "r2")
    assert "shop@prod  r2  live" in answer.out
    assert "web" in answer.out
    assert live_shop.world.outside.vault.leaks_in(answer.out) == ()  # type: ignore[attr-defined]


def test_show_without_words_lists_deployments(live_shop: Shop) -> None:
    found = live_shop.berth("show", "--json").json["deployments"]
    assert [item["deployment"] for item in found] == ["d2", "d1"]


def test_destroy_removes_a_stack_whose_name_is_given(live_shop: Shop) -> None:
    answer = live_shop.berth("destroy", "prod", "--confirm", "shop@prod")
    assert answer.code == 0
    assert live_shop.world.outside.store.stack(SHOP) is None


@pytest.mark.requirement("R136")
def test_destroy_with_another_name_removes_nothing(live_shop: Shop) -> None:
    answer = live_shop.berth("destroy", "prod", "--confirm", "shop")
    assert answer.code == 2
    assert live_shop.world.outside.store.stack(SHOP) is not None


def test_gateway_up_rebuilds_a_lost_table_from_the_store(live_shop: Shop) -> None:
    before = live_shop.berth("gateway", "routes").out
    live_shop.world.router._table = RouteTable()
    assert live_shop.berth("gateway", "status").code == 3
    answer = live_shop.berth("gateway", "up")
    assert answer.code == 0
    assert "rebuilt from the store" in answer.err
    assert live_shop.berth("gateway", "routes").out == before


@pytest.mark.parametrize("words", [["tick"], ["continue"], ["unwind"]])
def test_nothing_is_due_on_a_quiet_server(live_shop: Shop, words: list[str]) -> None:
    answer = live_shop.berth(*words)
    assert "nothing was due" in answer.out or "no deployment is unfinished" in answer.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shop: Shop, shell: str) -> None:
    assert "_BERTH_COMPLETE" in shop.berth("completion", shell).out


@pytest.mark.requirement("R142")
def test_logs_carry_the_name_of_their_service(live_shop: Shop) -> None:
    script = Behaviour(log=("first", "an error happened"))
    live_shop.world.engine.script("shop-prod-r2-web-1", script)
    assert "web | first\n" in live_shop.berth("logs", "web").out


@pytest.mark.requirement("R143")
def test_logs_can_be_cut_down_to_errors(live_shop: Shop) -> None:
    script = Behaviour(log=("first", "an error happened"))
    live_shop.world.engine.script("shop-prod-r2-web-1", script)
    assert live_shop.berth("logs", "prod", "web", "--errors").out == "web | an error happened\n"
