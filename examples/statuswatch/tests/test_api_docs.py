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
