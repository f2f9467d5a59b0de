"""Signing in and out, and what keeps others from doing it in somebody's name."""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import PASSWORD, Browser

from cms.auth import passwords, tokens
from cms.auth.attempts import ALLOWED, REMEMBERED, SECONDS, Attempts
from cms.core.roles import Role
from cms.core.settings import Settings

CORA = {"email": " Cora@Example.com ", "name": "Cora", "password": PASSWORD}


def cookies(answer: Any) -> dict[str, str]:
    """What each cookie says of itself, without its value."""
    found = {}
    for text in answer.headers.get_list("set-cookie"):
        name, _, rest = text.partition("=")
        found[name] = rest.partition(";")[2].lower()
    return found


def test_who_registers_is_a_consumer_and_signed_in(guest: Browser) -> None:
    made = guest.post("/auth/register", json=CORA)
    assert made.status_code == 201
    assert made.json()["role"] == "consumer"
    assert guest.get("/auth/me").json()["email"] == "cora@example.com"
    assert guest.post("/auth/register", json=CORA).status_code == 409


@pytest.mark.parametrize("is_secure", [True, False])
def test_tokens_are_out_of_reach_of_scripts_and_of_plain_http(start: Callable[..., Browser], is_secure: bool) -> None:
    client = start(public_url="https://acme.example.com" if is_secure else "http://localhost")
    found = cookies(client.post("/auth/register", json=CORA))
    assert set(found) == {tokens.ACCESS, tokens.REFRESH, tokens.CSRF}
    assert all("samesite=strict" in text for text in found.values())
    assert all(("secure" in text) is is_secure for text in found.values())
    assert ["httponly" in found[name] for name in (tokens.ACCESS, tokens.REFRESH, tokens.CSRF)] == [True, True, False]
    assert "path=/auth" in found[tokens.REFRESH]


def test_the_database_has_neither_password_nor_refresh_word(consumer: Browser, sql: Any) -> None:
    word = consumer.cookies[tokens.REFRESH].partition(".")[2]
    rows = str(sql("SELECT password_hash FROM users") + sql("SELECT refresh_digest FROM sessions"))
    assert rows.startswith("[('$argon2id$")
    assert word not in rows
    assert PASSWORD not in rows


def test_a_wrong_password_and_nobody_get_the_same_answer(consumer: Browser) -> None:
    wrong = consumer.post("/auth/login", json={"email": "consumer@example.com", "password": "no"})
    nobody = consumer.post("/auth/login", json={"email": "nobody@example.com", "password": "no"})
    assert (wrong.status_code, wrong.text) == (nobody.status_code, nobody.text)
    assert wrong.status_code == 401


def test_passwords_cannot_be_tried_for_ever(guest: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "is_password", lambda *_: False)
    given = {"email": "a@example.com", "password": "no"}
    assert {guest.post("/auth/login", json=given).status_code for _ in range(ALLOWED)} == {401}
    refused = guest.post("/auth/login", json=given)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= SECONDS + 1
    assert guest.post("/auth/login", json={**given, "email": "b@example.com"}).status_code == 401


def test_attempts_are_forgotten_with_time_and_when_there_are_too_many() -> None:
    attempts = Attempts()
    for _ in range(ALLOWED):
        attempts.failed("a", now=0)
    assert attempts.wait_seconds("a", now=1) == SECONDS
    assert attempts.wait_seconds("a", now=SECONDS + 1) == 0
    for number in range(REMEMBERED):
        attempts.failed(str(number), now=2)
    assert attempts.wait_seconds("a", now=3) == 0


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("Short-1", "12 to 200 characters"),
        ("A1-" + "x" * 200, "12 to 200 characters"),
        ("onlysmallletters", "mix three"),
        ("Password-12345", "common password"),
        ("Cora-is-best-1", None),
        ("Reinhardt-is-1", "your name"),
    ],
)
def test_the_policy_holds_and_names_what_is_missing(guest: Browser, password: str, problem: str | None) -> None:
    given = {"email": "x@example.com", "name": "Ann Reinhardt", "password": password}
    answer = guest.post("/auth/register", json=given)
    assert answer.status_code == (422 if problem else 201)
    assert problem is None or problem in answer.json()["detail"]


def test_a_refresh_exchanges_the_word(consumer: Browser) -> None:
    before = consumer.cookies[tokens.REFRESH]
    assert consumer.post("/auth/refresh").json()["role"] == "consumer"
    after = consumer.cookies[tokens.REFRESH]
    assert before.partition(".")[0] == after.partition(".")[0]
    assert before != after
    assert consumer.get("/auth/me").status_code == 200


def test_two_tabs_may_refresh_at_once(consumer: Browser) -> None:
    old = consumer.cookies[tokens.REFRESH]
    assert consumer.post("/auth/refresh").status_code == 200
    consumer.cookies.set(tokens.REFRESH, old, path="/auth")
    headers = {"Cookie": f"{tokens.REFRESH}={old}"}
    assert consumer.post("/auth/refresh", headers=headers).status_code == 200


def test_a_word_that_comes_back_late_ends_the_session(consumer: Browser, sql: Any) -> None:
    session, _, _ = consumer.cookies[tokens.REFRESH].partition(".")
    csrf, copied = consumer.cookies[tokens.CSRF], consumer.cookies[tokens.REFRESH]
    consumer.post("/auth/refresh")
    sql("UPDATE sessions SET rotated_at = now() - interval '1 minute'")
    thief = Browser(consumer.app)
    headers = {"Cookie": f"{tokens.REFRESH}={copied}", "X-CSRF-Token": csrf}
    assert thief.post("/auth/refresh", headers=headers).status_code == 401
    assert consumer.get("/auth/me").status_code == 401
    assert consumer.post("/auth/refresh").status_code == 401
    assert sql("SELECT id::text FROM sessions WHERE revoked_at IS NOT NULL") == [(session,)]


@pytest.mark.parametrize("cookie", ["", "x", "00000000-0000-0000-0000-000000000000.x"])
def test_a_refresh_cookie_that_never_was_is_refused(guest: Browser, migrated: Settings, cookie: str) -> None:
    csrf = tokens.csrf_of(migrated, cookie.partition(".")[0])
    headers = {"Cookie": f"{tokens.REFRESH}={cookie}", "X-CSRF-Token": csrf}
    assert guest.post("/auth/refresh", headers=headers).status_code == 401


def test_signing_out_ends_the_session_everywhere(consumer: Browser) -> None:
    access = consumer.cookies[tokens.ACCESS]
    assert consumer.post("/auth/logout").status_code == 204
    assert not consumer.cookies
    assert consumer.get("/auth/me", headers={"Cookie": f"{tokens.ACCESS}={access}"}).status_code == 401


def test_a_forged_token_is_none(consumer: Browser, migrated: Settings) -> None:
    other = Settings(jwt_secret="x" * 64)
    session = consumer.cookies[tokens.REFRESH].partition(".")[0]
    for token in (
        "x",
        tokens.make_access(other, 1, session),
        tokens.make_access(Settings(jwt_secret=migrated.jwt_secret, access_minutes=-1), 1, session),
    ):
        stranger = Browser(consumer.app)
        assert stranger.get("/auth/me", headers={"Cookie": f"{tokens.ACCESS}={token}"}).status_code == 401


def test_a_write_without_the_word_of_the_session_is_refused(consumer: Browser) -> None:
    for word in ("", "x", "0" * 64):
        assert consumer.post("/auth/logout", headers={"X-CSRF-Token": word}).status_code == 403
        assert consumer.post("/auth/refresh", headers={"X-CSRF-Token": word}).status_code == 403
    assert consumer.get("/auth/me", headers={"X-CSRF-Token": ""}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}, 204),
    ],
)
def test_another_site_cannot_write_even_with_the_word(consumer: Browser, headers: dict[str, str], status: int) -> None:
    assert consumer.post("/auth/logout", headers=headers).status_code == status


def test_a_body_has_a_limit(consumer: Browser) -> None:
    assert consumer.post("/auth/login", content=b"x" * 70_000).status_code == 413
    assert consumer.post("/auth/login", content=iter([b"{", b"}"])).status_code == 413


def test_another_password_ends_every_other_session(consumer: Browser) -> None:
    elsewhere = Browser(consumer.app)
    elsewhere.post("/auth/login", json={"email": "consumer@example.com", "password": PASSWORD})
    given = {"old": PASSWORD, "new": "Better-horse-77"}
    assert consumer.post("/auth/password", json={**given, "old": "x"}).status_code == 403
    assert consumer.post("/auth/password", json={**given, "new": "x"}).status_code == 422
    assert consumer.post("/auth/password", json=given).status_code == 204
    assert consumer.get("/auth/me").status_code == 200
    assert elsewhere.get("/auth/me").status_code == 401


def test_an_administrator_onboards_changes_and_closes(become: Callable[..., Browser]) -> None:
    admin = become(Role.SYSTEM_ADMINISTRATOR)
    person = {"email": "hugo@example.com", "name": "Hugo", "password": "Correct-horse-8", "role": "help_desk_agent"}
    made = admin.post("/admin/onboard", json=person).json()
    assert admin.post("/admin/onboard", json=person).status_code == 409
    assert [one["name"] for one in admin.get("/admin/users").json()] == ["Hugo", "system_administrator"]
    hugo = Browser(admin.app)
    credentials = {"email": "hugo@example.com", "password": "Correct-horse-8"}
    assert hugo.post("/auth/login", json=credentials).json()["role"] == "help_desk_agent"
    assert admin.patch(f"/admin/users/{made['id']}", json={"role": "manager"}).json()["role"] == "manager"
    assert hugo.get("/auth/me").status_code == 401  # it holds at once
    assert hugo.post("/auth/login", json=credentials).json()["role"] == "manager"
    assert admin.patch(f"/admin/users/{made['id']}", json={"is_active": False}).json()["is_active"] is False
    assert hugo.post("/auth/login", json=credentials).status_code == 401
    assert admin.patch("/admin/users/1", json={"role": "consumer"}).status_code == 409
    assert admin.patch("/admin/users/999", json={"role": "consumer"}).status_code == 404
