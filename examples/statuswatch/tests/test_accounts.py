import pytest
from conftest import PASSWORD, TenantBrowser

pytestmark = pytest.mark.django_db


def test_a_login_gives_a_token_and_names_the_tenants_own_domain(guest: TenantBrowser) -> None:
    answer = guest.post("/api/auth/login/", {"username": "demo", "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json()["tenant_domain"] == "acme.testserver"
    assert len(answer.json()["token"]) == 40


def test_a_wrong_password_is_refused(guest: TenantBrowser) -> None:
    assert guest.post("/api/auth/login/", {"username": "demo", "password": "wrong"}).status_code == 401


def test_a_login_without_credentials_says_what_is_missing(guest: TenantBrowser) -> None:
    answer = guest.post("/api/auth/login/", {"username": "demo"})
    assert answer.status_code == 400
    assert "password" in answer.json()


def test_a_token_of_one_tenant_is_worth_nothing_at_another(user: TenantBrowser) -> None:
    stranger = TenantBrowser("beta.testserver")
    stranger.headers = user.headers
    assert stranger.get("/api/auth/me/").status_code == 401
    assert stranger.get("/api/endpoints/").status_code == 401


def test_logout_ends_the_token(user: TenantBrowser) -> None:
    assert user.get("/api/auth/me/").json()["user"] == "demo"
    assert user.post("/api/auth/logout/").status_code == 204
    assert user.get("/api/auth/me/").status_code == 401


@pytest.mark.requirement("R81")
def test_too_many_logins_from_one_address_are_refused(guest: TenantBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    from rest_framework.throttling import ScopedRateThrottle

    monkeypatch.setattr(ScopedRateThrottle, "THROTTLE_RATES", {"login": "2/hour"})
    attempts = [guest.post("/api/auth/login/", {"username": "demo", "password": "no"}).status_code for _ in range(3)]
    assert attempts == [401, 401, 429]


def test_the_public_host_has_no_login(public: TenantBrowser) -> None:
    assert public.post("/api/auth/login/", {}).status_code == 404
