"""The API is described, for programs and people, on both kinds of host."""

import pytest
from conftest import TenantBrowser
from drf_spectacular.validation import validate_schema

pytestmark = pytest.mark.django_db


def test_the_description_is_valid_and_names_every_path(guest: TenantBrowser, public: TenantBrowser) -> None:
    ours, hub = guest.get("/api/schema/").json(), public.get("/api/schema/").json()
    for described in (ours, hub):
        validate_schema(described)
    assert {"/api/endpoints/", "/api/endpoints/{id}/history/", "/api/incidents/", "/api/api-tokens/"} <= set(
        ours["paths"]
    )
    assert "/api/auth/register/" in hub["paths"]
    assert "/api/endpoints/" not in hub["paths"]
    assert not [path for path in ours["paths"] if "internal" in path]


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        ("/api/auth/register/", ["201", "409"]),
        ("/api/auth/login/", ["200", "401", "403"]),
        ("/api/auth/logout/", ["204"]),
        ("/api/auth/demo/", ["200", "404"]),
    ],
)
def test_the_codes_are_those_that_are_answered(public: TenantBrowser, path: str, codes: list[str]) -> None:
    assert sorted(public.get("/api/schema/").json()["paths"][path]["post"]["responses"]) == codes


def test_sending_a_test_alert_takes_nothing(guest: TenantBrowser) -> None:
    operation = guest.get("/api/schema/").json()["paths"]["/api/alert-channels/{id}/test/"]["post"]
    assert "requestBody" not in operation
    assert list(operation["responses"]) == ["202"]


def test_people_read_what_a_request_takes(guest: TenantBrowser) -> None:
    page = guest.get("/api/docs/")
    assert page.status_code == 200
    text = page.content.decode()
    for part in ("/api/endpoints/", "url*", "expected_status", "POST", "201"):
        assert part in text
    assert "<script" not in text


def test_login_and_sign_up_say_what_they_take(public: TenantBrowser) -> None:
    text = public.get("/api/docs/").content.decode()
    for part in ("organization*", "password*", "refresh*"):
        assert part in text
