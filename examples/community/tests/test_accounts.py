"""Signing up and in, its limits, and the root of dev."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from community import security
from community.settings import Settings

PASSWORD = "a-long-test-password"
Join = Callable[[str], dict[str, str]]


def test_somebody_signs_up_and_is_known_afterwards(guest: TestClient, join: Join) -> None:
    headers = join("Alice")
    assert guest.get("/api/auth/me", headers=headers).json()["name"] == "alice"
    answer = guest.post("/api/auth/login", json={"name": "ALICE", "password": PASSWORD})
    assert answer.json()["user"] == {"id": 1, "name": "alice", "is_moderator": False}


def test_a_taken_name_a_short_password_and_an_odd_name_are_refused(guest: TestClient, join: Join) -> None:
    join("alice")
    for name, password, status in (
        ("alice", PASSWORD, 409),
        ("root", PASSWORD, 409),
        ("bob", "short", 422),
        ("<b>", PASSWORD, 422),
    ):
        answer = guest.post("/api/auth/signup", json={"name": name, "password": password})
        assert answer.status_code == status, name


def test_a_wrong_password_and_an_unknown_name_look_alike(guest: TestClient, join: Join) -> None:
    join("alice")
    answers = [
        guest.post("/api/auth/login", json={"name": name, "password": "not-the-password"}) for name in ("alice", "bob")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


def test_a_token_of_another_key_or_of_yesterday_opens_nothing(guest: TestClient, join: Join, values: Any) -> None:
    join("alice")
    other = Settings(**{**values, "jwt_secret": "another-secret-with-more-than-32-characters"})
    old = Settings(**values).model_copy(update={"token_minutes": -1})
    for token in (security.make_token(1, other), security.make_token(1, old), "rubbish", ""):
        assert guest.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_signups_and_logins_are_limited(start: Callable[..., TestClient]) -> None:
    guest = start(signups_per_10_minutes=3, logins_per_5_minutes=10)
    signups = [
        guest.post("/api/auth/signup", json={"name": f"user{n}", "password": PASSWORD}).status_code for n in range(4)
    ]
    assert signups == [201, 201, 201, 429]
    tries = [guest.post("/api/auth/login", json={"name": "user0", "password": "x" * 12}) for _ in range(11)]
    assert [answer.status_code for answer in tries] == [401] * 10 + [429]
    assert 0 < int(tries[-1].headers["Retry-After"]) <= 300


def test_without_redis_nobody_may_guess_passwords(start: Callable[..., TestClient]) -> None:
    guest = start(redis_url="redis://127.0.0.1:1/0")
    assert guest.post("/api/auth/login", json={"name": "alice", "password": PASSWORD}).status_code == 503


@pytest.mark.requirement("R360")
def test_dev_makes_its_root_once_when_asked(start: Callable[..., TestClient]) -> None:
    for _ in range(2):
        guest = start(dev_bootstrap_root=True, dev_root_password=PASSWORD)
    answer = guest.post("/api/auth/login", json={"name": "root", "password": PASSWORD})
    assert answer.json()["user"]["is_moderator"]
    assert start().get("/health/ready").status_code == 200
