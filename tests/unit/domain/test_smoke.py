"""What a smoke condition accepts, and the words for what it does not."""

import json
from typing import Any

import pytest

from berthmaster.domain.smoke import unmet, unmet_command, value_at
from berthmaster.domain.spec import SmokeSpec

BODY = json.dumps({"status": "ok", "checks": {"db": True, "n": 1}, "items": [{"name": "a.b"}]})


def said(body: str = BODY, took: float = 0.1, **wanted: Any) -> str:
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Frame-Options": "DENY"}
    return unmet(SmokeSpec("/ready", **wanted), headers, body, took)


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"json": {"status": "ok", "checks.db": True, "checks.n": 1.0, "items.0.name": "a.b"}},
        {"headers": {"content-type": "application/json", "x-frame-options": "DENY"}},
        {"headers": {"Content-Type": "application/json; charset=utf-8"}},
        {"seconds": 0.1},
    ],
)
def test_what_is_as_declared_is_good(wanted: dict[str, Any]) -> None:
    assert said(**wanted) == ""


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"json": {"status": "bad"}}, 'its JSON has status = "ok", "bad" was wanted'),
        ({"json": {"checks.n": True}}, "its JSON has checks.n = 1, true was wanted"),
        ({"json": {"checks.redis": "ok"}}, "its JSON has no checks.redis"),
        ({"json": {"items.1.name": "x"}}, "its JSON has no items.1.name"),
        ({"headers": {"X-Frame-Options": "SAMEORIGIN"}}, "has X-Frame-Options: DENY"),
        ({"headers": {"Strict-Transport-Security": "x"}}, "has no header Strict-Transport"),
        ({"seconds": 0.05}, "took 0.10 s, at most 0.05 s was wanted"),
    ],
)
def test_what_is_not_as_declared_is_named(wanted: dict[str, Any], words: str) -> None:
    assert said(**wanted).startswith(words)


def test_a_body_that_is_no_json_is_named() -> None:
    assert said(body="<html>", json={"status": "ok"}).startswith("is not JSON")


def test_a_long_value_is_cut() -> None:
    assert len(said(body=json.dumps({"a": "x" * 5000}), json={"a": 1})) < 150


def test_a_path_into_what_has_no_parts_is_an_error() -> None:
    with pytest.raises(KeyError):
        value_at({"a": "text"}, "a.0")


@pytest.mark.parametrize(
    ("code", "output", "seconds", "words"),
    [
        (0, "fine\n", 0.1, ""),
        (3, "first\nno such table\n", 0.1, "ended with exit code 3, 0 was wanted: no such table"),
        (0, "other", 0.1, "its output does not contain 'fine'"),
        (0, "fine", 9.0, "took 9.00 s"),
    ],
)
def test_a_command_is_judged_by_its_code_output_and_time(
    code: int, output: str, seconds: float, words: str
) -> None:
    wanted = SmokeSpec("", command=("check",), service="web", contains="fine", seconds=5.0)
    assert unmet_command(wanted, code, output, seconds).startswith(words)
