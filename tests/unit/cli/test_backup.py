"""Typing `berth server backup` and `berth gateway up --plan`, over twins."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.cli.shop import Shop

from berthmaster import bootstrap
from berthmaster.ports.backups import Backups, EngineData
from berthmaster.settings import Settings
from berthmaster.testing.backups import CODE, FakeBackups, FakeEngineData


@pytest.fixture
def saved_shop(live_shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shop:
    """The live shop with a place for its backups."""
    state = tmp_path / "state"
    state.mkdir()
    live_shop.world.outside = replace(live_shop.world.outside, state_folder=state)
    backups = FakeBackups()
    data = FakeEngineData(live_shop.world.engine, tmp_path / "volumes")

    def build_backups(settings: Settings, target: str) -> Backups:
        return backups

    def build_engine_data(settings: Settings) -> EngineData:
        return data

    monkeypatch.setattr(bootstrap, "build_backups", build_backups)
    monkeypatch.setattr(bootstrap, "build_engine_data", build_engine_data)
    return live_shop


def test_without_a_target_it_asks_for_one(live_shop: Shop) -> None:
    answer = live_shop.berth("server", "backup")
    assert (answer.code, "--to" in answer.err) == (2, True)


def test_a_target_in_the_state_folder_is_refused(live_shop: Shop) -> None:
    answer = live_shop.berth("server", "backup", "--to", str(live_shop.folder / "state/backups"))
    assert (answer.code, "state folder" in answer.err) == (2, True)


def test_the_code_goes_to_the_terminal_once_and_never_to_the_output(saved_shop: Shop) -> None:
    first = saved_shop.berth("server", "backup", "--to", "/srv/b", "--json")
    assert (first.code, first.json["stacks"]) == (0, ["shop@prod"])
    assert (CODE in first.err, CODE in first.out) == (True, False)
    second = saved_shop.berth("server", "backup", "--to", "/srv/b")
    assert CODE not in second.out + second.err


def test_a_failed_part_ends_with_3_and_is_named(saved_shop: Shop) -> None:
    asyncio.run(saved_shop.world.outside.runtime.stop("shop-prod-db-1", 1.0))
    answer = saved_shop.berth("server", "backup", "--to", "/srv/b")
    assert (answer.code, "database db of shop@prod" in answer.err) == (3, True)
    listed = saved_shop.berth("server", "backup", "--to", "/srv/b", "--list")
    assert "partial" in listed.out
    health = saved_shop.berth("health", "shop@prod", "--json")
    assert "the last backup failed" in health.out


def test_a_gateway_plan_changes_nothing_and_an_upgrade_is_announced(live_shop: Shop) -> None:
    plan = live_shop.berth("gateway", "up", "--plan")
    assert (plan.code, "replace what runs by haproxy:next" in plan.out) == (0, True)
    answer = live_shop.berth("gateway", "up")
    announced, done = answer.err.index("haproxy:next"), answer.err.index("was replaced")
    assert announced < done
