"""A backup that failed, or that is too old, goes to whoever is told of alerts."""

from datetime import timedelta

import pytest
from tests.unit.cli.listener import Told, listening
from tests.unit.cli.shop import Shop

from berthmaster.ports.store import Event
from berthmaster.services.watch_backups import BACKED_UP, BACKUP_AGE, BACKUP_FAILED
from berthmaster.testing.clock import FakeClock

FAILED = "backup: the last backup failed: database db of shop@prod; next: berth server backup"


@pytest.fixture
def told(live_shop: Shop) -> Told:
    return listening(live_shop)


def advance(shop: Shop, time: timedelta) -> None:
    clock = shop.world.outside.clock
    assert isinstance(clock, FakeClock)
    clock.advance(time.total_seconds())


def end_backup(shop: Shop, what: str, detail: str = "") -> None:
    advance(shop, timedelta(minutes=1))
    world = shop.world.outside
    world.store.record(Event(world.clock.now(), "root", None, what, detail))


def look(shop: Shop, after: timedelta = timedelta(minutes=1)) -> str:
    """What the timer does."""
    advance(shop, after)
    return shop.berth("tick").out


def test_nobody_hears_of_backups_that_nobody_makes(live_shop: Shop, told: Told) -> None:
    look(live_shop, BACKUP_AGE * 10)
    assert told.lines == []


def test_each_backup_that_failed_is_told_of_once_until_one_is_good(
    live_shop: Shop, told: Told
) -> None:
    end_backup(live_shop, BACKUP_FAILED, "database db of shop@prod")
    assert FAILED in look(live_shop)
    look(live_shop)
    assert told.lines == [FAILED]
    (alert,) = live_shop.berth("status", "--json").json["alerts"]
    assert (alert["kind"], alert["next"]) == ("backup", "berth server backup")
    assert "the last backup failed" in live_shop.berth("status").err
    end_backup(live_shop, BACKUP_FAILED, "database db of shop@prod")
    look(live_shop)
    assert told.lines == [FAILED, FAILED]
    end_backup(live_shop, BACKED_UP)
    assert "backup: its alert is over" in look(live_shop)
    assert "alert" not in look(live_shop)
    assert live_shop.berth("status", "--json").json["alerts"] == []
    assert told.lines == [FAILED, FAILED]


def test_a_backup_that_does_not_come_is_told_of_once(live_shop: Shop, told: Told) -> None:
    end_backup(live_shop, BACKED_UP)
    look(live_shop, BACKUP_AGE - timedelta(hours=1))
    assert told.lines == []
    look(live_shop, timedelta(hours=2))
    look(live_shop, timedelta(days=1))
    assert told.lines == ["backup: the newest backup is 2 days old; next: berth server backup"]


def test_who_could_not_be_told_is_told_again(live_shop: Shop, told: Told) -> None:
    end_backup(live_shop, BACKUP_FAILED, "database db of shop@prod")
    told.problem = "it ended with 1"
    assert "nobody was told: it ended with 1" in look(live_shop)
    told.problem = None
    assert "nobody was told" not in look(live_shop)
    look(live_shop)
    assert told.lines == [FAILED, FAILED]
