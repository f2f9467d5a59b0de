"""Answers are alike when a client could not tell them apart; values may differ."""

import json
from typing import Any

import pytest

from berthmaster.domain.parity import Parity, compare_answers
from berthmaster.domain.probing import ProbeResult
from berthmaster.domain.spec import ParitySpec

JSON = "application/json"


def answer(data: Any = None, status: int | None = 200, **more: Any) -> ProbeResult:
    values = {"body": json.dumps(data), "media_type": JSON, **more}
    return ProbeResult(status, is_good=True, seconds=0.0, **values)


def compared(ours: ProbeResult, theirs: ProbeResult, **more: Any) -> Parity:
    return compare_answers(ParitySpec("/api/", **more), ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"id": 1, "at": "09:00"}, {"id": 2, "at": "09:01"}),
        ({"at": None}, {"at": "09:01"}),
        ({"rows": []}, {"rows": [{"id": 1}]}),
        (
            {"rows": [{"id": 1, "note": None}]},
            {"rows": [{"id": 7, "note": "x"}, {"id": 8, "note": ""}]},
        ),
        ({"user": None}, {"user": {"name": "ann"}}),
        (3, 4.5),
    ],
)
def test_other_values_of_the_same_shape_are_alike(ours: Any, theirs: Any) -> None:
    assert compared(answer(ours), answer(theirs)).differences == ()


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ({"id": 1}, {"id": "1"}, "id: a number in production, text in the rehearsal"),
        ({"a": 1, "b": 1}, {"a": 1}, "b: only in production"),
        ({"a": {}}, {"a": {"c": 1}}, "a.c: only in the rehearsal"),
        ({"rows": [{"x": 1}]}, {"rows": [{"y": 1}]}, "rows.*.x: only in production"),
        ([1], {"0": 1}, "the whole: a list in production, an object in the rehearsal"),
        ({"ok": True}, {"ok": 1}, "ok: a boolean in production, a number in the rehearsal"),
    ],
)
def test_another_shape_is_named(ours: Any, theirs: Any, said: str) -> None:
    assert said in compared(answer(ours), answer(theirs)).differences


def test_parts_may_be_left_out_of_it() -> None:
    ours, theirs = answer({"rows": [{"x": 1}], "a": 1}), answer({"rows": [{"x": "1"}], "a": 1})
    assert compared(ours, theirs, ignore=("rows.*.x",)).differences == ()
    assert compared(ours, theirs, ignore=("rows",)).differences == ()
    assert compared(ours, theirs, ignore=("a",)).differences != ()


def test_status_kind_and_place_of_a_redirect_count() -> None:
    found = compared(answer({}), answer({}, 500))
    assert found.differences == ("status 200 in production, 500 in the rehearsal",)
    assert (found.production, found.rehearsal) == ("200 application/json", "500 application/json")
    assert (
        "text/html in the rehearsal"
        in compared(answer(), answer(media_type="text/html")).differences[0]
    )
    here, there = answer(status=302, location="/a"), answer(status=302, location="https://x/b")
    assert compared(here, there).differences == (
        "redirects to /a in production, /b in the rehearsal",
    )
    assert compared(here, answer(status=302, location="https://x/a")).differences == ()


def test_no_answer_is_a_difference_and_says_why() -> None:
    found = compared(answer({}), answer(status=None, error="nothing listens there"))
    assert found.differences == ("the rehearsal: nothing listens there",)


def test_what_is_no_json_is_told_and_many_differences_are_counted() -> None:
    assert (
        "is not JSON"
        in compared(
            answer({}),
            answer(body="{"),
        ).differences[0]
    )
    many = {f"key{number}": 1 for number in range(20)}
    assert compared(answer(many), answer({})).differences[-1] == "and 12 more"
