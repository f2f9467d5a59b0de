"""Every route x every role, taken from the application and from the one table; a new route is covered at birth."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Browser
from fastapi.routing import APIRoute

from cms.core.roles import GRANTS, Permission, Role
from cms.reference import permission_or_none, routes_of

EVERYBODY = {
    "POST /auth/register",
    "POST /auth/login",
    "POST /auth/refresh",
    "GET /health/live",
    "GET /health/ready",
    "GET /version",
}
GUARDED = 17  # a walk over nothing would be no proof


def named(route: APIRoute) -> str:
    return f"{next(iter(route.methods or ()))} {route.path}"


def ask(browser: Browser, route: APIRoute) -> Any:
    """Without a body: whoever passes the door gets 200, 404 or 422."""
    path = re.sub(r"\{\w+\}", "999", route.path)
    return browser.request(next(iter(route.methods or ())), path)


def test_every_route_asks_for_a_permission_or_is_for_everybody(guest: Browser) -> None:
    found = {named(route): permission_or_none(route) for route in routes_of(guest.app)}
    assert {name for name, permission in found.items() if permission is None} == EVERYBODY
    assert len(found) - len(EVERYBODY) == GUARDED


def test_nobody_gets_in_without_signing_in(guest: Browser) -> None:
    for route in routes_of(guest.app):
        if permission_or_none(route):
            assert ask(guest, route).status_code == 401, named(route)


@pytest.mark.parametrize("role", Role)
def test_every_route_lets_in_whom_the_table_names(become: Callable[..., Browser], role: Role) -> None:
    browser = become(role)
    routes = sorted(routes_of(browser.app), key=lambda route: route.path == "/auth/logout")  # the last one ends it
    for route in routes:
        permission = permission_or_none(route)
        if permission is None or named(route) == "POST /auth/password":  # asks for a body and a password too
            continue
        answer = ask(browser, route)
        if role in GRANTS[permission]:
            assert answer.status_code in (200, 204, 404, 422), f"{named(route)}: {answer.text}"
        else:
            assert answer.status_code == 403, named(route)
            assert answer.json()["detail"] == f"Your role may not {permission}."


def test_the_table_names_every_permission_and_no_empty_one() -> None:
    assert set(GRANTS) == set(Permission)
    assert all(GRANTS.values())


def test_a_consumer_may_not_onboard(consumer: Browser, sql: Any) -> None:
    person = {"email": "x@example.com", "name": "X", "password": "Correct-horse-8", "role": "system_administrator"}
    assert consumer.post("/admin/onboard", json=person).status_code == 403
    assert sql("SELECT count(*) FROM users") == [(1,)]


def test_the_docs_are_made_from_the_running_routes(guest: Browser) -> None:
    page = guest.get("/docs").text
    for route in routes_of(guest.app):
        assert f"<code>{named(route)}</code>" in page
    assert "help desk agent" in page
    assert "https://" not in page  # nothing comes from another site
    assert set(guest.get("/openapi.json").json()["paths"]) == {route.path for route in routes_of(guest.app)}
