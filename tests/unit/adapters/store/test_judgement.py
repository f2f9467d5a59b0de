"""What was said of artifacts is kept, and never changed."""

import sqlite3
from dataclasses import replace

import pytest
from tests.unit.adapters.store.support import SHOP, SetClock

from berthmaster.adapters.store import SqliteStore
from berthmaster.domain.judgement import Judgement, JudgementKind

SAID = Judgement(
    SetClock().now(), "ann@web1", JudgementKind.VERIFIED, "shop", SHOP, "a7", 7, 41, "3 conditions"
)


def test_a_judgement_reads_back_as_it_was_given_newest_first(store: SqliteStore) -> None:
    rejected = replace(SAID, kind=JudgementKind.REJECTED, stack=None, release=None, deployment=None)
    store.judge(SAID)
    store.judge(rejected)
    assert store.judgements("shop") == (rejected, SAID)


def test_judgements_are_asked_for_by_app_and_artifact(store: SqliteStore) -> None:
    store.judge(SAID)
    store.judge(replace(SAID, artifact="a8"))
    store.judge(replace(SAID, app="cart"))
    assert store.judgements("shop", artifact="a7") == (SAID,)
    assert len(store.judgements("shop")) == 2


def test_judgements_outlive_their_stack(store: SqliteStore) -> None:
    store.add_stack(SHOP, "/srv/shop")
    store.judge(SAID)
    store.forget_stack(SHOP)
    assert store.judgements("shop") == (SAID,)


@pytest.mark.parametrize("sql", ["UPDATE judgements SET why = ''", "DELETE FROM judgements"])
def test_nobody_changes_what_was_said(store: SqliteStore, sql: str) -> None:
    store.judge(SAID)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        store._database.write(sql)
