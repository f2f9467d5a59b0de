"""Which times a freeze file stands for, and what it says of what it cannot read."""

from datetime import UTC, datetime

import pytest

from berthmaster.domain.freeze import FreezeWindow, frozen_by, parse_freeze

CHRISTMAS = "prod 2026-12-20T18:00+01:00 2027-01-04T08:00+01:00 Christmas\n"
WEEKEND = "prod,stage fri-16:00 mon-07:00 weekends are ours\n"


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def held(text: str, now: str, environment: str = "prod", *, strict: bool = True) -> bool:
    windows = parse_freeze(text)
    return frozen_by(windows, environment, is_strict=strict, now=at(now)) is not None


@pytest.mark.parametrize(
    ("now", "is_held"),
    [
        ("2026-12-20T16:59", False),
        ("2026-12-20T17:00", True),
        ("2027-01-04T06:59", True),
        ("2027-01-04T07:00", False),
    ],
)
def test_an_instant_counts_with_its_offset(now: str, is_held: bool) -> None:
    assert held(CHRISTMAS, now) is is_held


@pytest.mark.parametrize(
    ("now", "is_held"),
    [
        ("2026-11-20T15:59", False),  # a Friday
        ("2026-11-20T16:00", True),
        ("2026-11-22T23:59", True),
        ("2026-11-23T06:59", True),
        ("2026-11-23T07:00", False),
    ],
)
def test_a_window_of_every_week_goes_over_its_end(now: str, is_held: bool) -> None:
    assert held(WEEKEND, now, "stage") is is_held


def test_the_end_of_a_window_is_told() -> None:
    now = at("2026-11-21T10:00")
    assert parse_freeze(WEEKEND)[0].end_after(now) == at("2026-11-23T07:00")
    assert parse_freeze(CHRISTMAS)[0].end_after(now) == at("2027-01-04T07:00")


def test_other_environments_are_not_held() -> None:
    assert not held("prod always closed", "2026-11-21T10:00", "stage")


@pytest.mark.parametrize("text", ["", "# nothing\n\n", "* always closed"])
def test_a_file_without_a_window_holds_every_strict_environment(text: str) -> None:
    assert held(text, "2026-11-21T10:00")
    assert not held(text, "2026-11-21T10:00", "dev", strict=False)


def test_comments_end_a_line_and_the_line_is_known() -> None:
    (window,) = parse_freeze("# who\nprod always closed # until the audit ends\n")
    assert window == FreezeWindow(frozenset({"prod"}), None, None, "closed", 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prod christmas", "line 1: write ENVIRONMENTS FROM UNTIL WHY"),
        ("\nprod always", "line 2: the reason is missing"),
        ("prod 2026-12-20T18:00 2026-12-21T18:00 x", "names no offset"),
        ("prod friday monday x", "'friday' is no instant"),
        ("prod fri-16:00 2026-12-21T18:00Z x", "both ends are instants"),
        ("prod 2026-12-21T18:00Z 2026-12-20T18:00Z x", "is not after"),
        ("prod always a\x1b[2Jb", "line 1: the reason wants one line of printable text"),
        ("prod fri-25:00 mon-07:00 x", "is no instant"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_freeze(text)


def test_now_is_compared_in_utc() -> None:
    now = datetime(2026, 11, 20, 16, 30, tzinfo=UTC).astimezone()
    assert frozen_by(parse_freeze(WEEKEND), "prod", is_strict=True, now=now) is not None
