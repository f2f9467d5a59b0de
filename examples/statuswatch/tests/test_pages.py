import time

import pytest
from conftest import TenantBrowser
from django.utils import timezone
from django_tenants.utils import tenant_context

from monitors.models import Endpoint
from monitors.probe import Outcome
from tenants.models import Client

pytestmark = pytest.mark.django_db


def test_the_public_host_answers_a_page_of_its_own(public: TenantBrowser) -> None:
    assert b"2 organizations" in public.get("/").content


def test_a_host_without_a_tenant_is_not_found(db: None) -> None:
    assert TenantBrowser("nobody.testserver").get("/").status_code == 404


def test_a_tenant_without_endpoints_gets_a_page_all_the_same(guest: TenantBrowser) -> None:
    assert b"Nothing is watched yet" in guest.get("/").content


def test_the_status_page_shows_status_latency_and_release(
    guest: TenantBrowser, acme: Client, endpoint: Endpoint, settings: object
) -> None:
    with tenant_context(acme):
        endpoint.record(Outcome("200", 42), timezone.now())
    page = guest.get("/").content.decode()
    assert "Acme" in page
    assert "All systems operational" in page
    assert "42 ms" in page
    assert f'<b id="release">{settings.APP_VERSION}</b>' in page


def test_the_status_page_says_what_is_down(guest: TenantBrowser, acme: Client, endpoint: Endpoint) -> None:
    with tenant_context(acme):
        endpoint.record(Outcome("error:503", 3), timezone.now())
    assert b"1 of 1 endpoints down" in guest.get("/").content


def test_the_status_page_claims_nothing_before_the_first_check(guest: TenantBrowser, endpoint: Endpoint) -> None:
    page = guest.get("/").content
    assert b"1 of 1 endpoints not checked yet" in page
    assert b"All systems operational" not in page


def test_the_page_of_a_tenant_shows_nothing_of_another(endpoint: Endpoint) -> None:
    assert endpoint.name.encode() not in TenantBrowser("beta.testserver").get("/").content


def test_every_answer_carries_release_request_id_and_policy(guest: TenantBrowser, settings: object) -> None:
    answer = guest.get("/", **{"X-Request-ID": "abc-1"})
    assert answer["X-Request-ID"] == "abc-1"
    assert answer["X-App-Version"] == settings.APP_VERSION
    assert "default-src" in answer["Content-Security-Policy"]
    assert guest.get("/", **{"X-Request-ID": "<script>"})["X-Request-ID"].isalnum()


@pytest.mark.requirement("R103")
@pytest.mark.parametrize(
    ("query", "status"),
    [("?domain=ACME.testserver%20", 200), ("?domain=nobody.testserver", 404), ("?domain=", 400), ("", 400)],
)
def test_the_edge_learns_which_hosts_are_ours(public: TenantBrowser, query: str, status: int) -> None:
    assert public.get(f"/api/internal/validate-domain/{query}").status_code == status


def test_nobody_learns_it_through_a_proxy(public: TenantBrowser) -> None:
    path = "/api/internal/validate-domain/?domain=acme.testserver"
    assert public.get(path, **{"X-Forwarded-For": "203.0.113.9"}).status_code == 404


def test_the_version_answers_on_any_host_we_may_have(db: None, settings: object) -> None:
    assert TenantBrowser("nobody.testserver").get("/version").json() == {"version": settings.APP_VERSION}


def test_a_slow_request_exists_only_when_asked_for(public: TenantBrowser) -> None:
    from django.test import RequestFactory

    from health.views import sleep

    assert public.get("/debug/sleep?seconds=1").status_code == 404
    started = time.monotonic()
    assert b'"received": 3' in sleep(RequestFactory().post("/?seconds=0.1", b"abc", "text/plain")).content
    assert 0.1 <= time.monotonic() - started < 2
    assert sleep(RequestFactory().get("/?seconds=x")).status_code == 400


@pytest.mark.requirement("R82")
@pytest.mark.parametrize(
    ("origin", "path", "is_allowed"),
    [
        ("http://acme.localhost:5173", "/api/auth/login/", True),
        ("http://localhost", "/api/auth/login/", True),
        ("http://localhost.evil.example", "/api/auth/login/", False),
        ("https://evil.example", "/api/auth/login/", False),
        ("http://localhost", "/health/", False),
    ],
)
def test_a_page_of_another_origin_may_call_the_api_when_it_is_ours(
    guest: TenantBrowser, origin: str, path: str, is_allowed: bool
) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = guest.browser.options(path, headers=headers)
    assert (answer.get("Access-Control-Allow-Origin") == origin) is is_allowed
