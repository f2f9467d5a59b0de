"""Login over all tenants, sessions that belong to one, tokens for programs."""

from datetime import timedelta

import jwt
import pytest
from conftest import PASSWORD, TenantBrowser
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone
from django_tenants.utils import schema_context, tenant_context
from rest_framework.throttling import AnonRateThrottle, ScopedRateThrottle, UserRateThrottle
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

from accounts import search, sessions
from accounts.models import ApiToken, Profile
from tenants import organizations
from tenants.models import Client, Domain

pytestmark = pytest.mark.django_db
LOGIN = {"username": "demo", "password": PASSWORD}


@pytest.fixture
def only_acme(acme: Client) -> Client:
    """The name and password fit in one tenant only."""
    with tenant_context(Client.objects.get(schema_name="beta")):
        User.objects.update(username="other")
    return acme


def session(browser: TenantBrowser, **more: str) -> dict[str, object]:
    answer = browser.post("/api/auth/login/", {**LOGIN, **more})
    assert answer.status_code == 200
    return answer.json()


def program_with(key: str, host: str = "acme.testserver") -> TenantBrowser:
    program = TenantBrowser(host)
    program.headers = {"Authorization": f"Token {key}"}
    return program


def test_a_login_names_the_tenant_and_its_host(guest: TenantBrowser, settings: object) -> None:
    settings.DEFAULT_TENANT_DOMAIN_SUFFIX = "testserver"
    answer = session(guest)
    assert answer["tenant_schema"] == "acme"
    assert answer["tenant_name"] == "Acme"
    assert answer["tenant_domain"] == "acme.testserver"
    claims = jwt.decode(answer["access"], options={"verify_signature": False})
    assert claims["tenant"] == "acme"
    assert claims["exp"] - claims["iat"] == 15 * 60


def test_a_wrong_password_is_refused(guest: TenantBrowser, public: TenantBrowser) -> None:
    for browser in (guest, public):
        assert browser.post("/api/auth/login/", {**LOGIN, "password": "wrong"}).status_code == 401


def test_a_login_without_credentials_says_what_is_missing(guest: TenantBrowser) -> None:
    answer = guest.post("/api/auth/login/", {"username": "demo"})
    assert answer.status_code == 400
    assert "password" in answer.json()


@pytest.mark.requirement("R193")
def test_the_public_host_finds_the_tenant(public: TenantBrowser, only_acme: Client) -> None:
    assert session(public)["tenant_schema"] == "acme"


@pytest.mark.requirement("R193", "R212")
def test_who_is_in_several_tenants_chooses(public: TenantBrowser) -> None:
    answer = session(public)
    assert answer["multiple_tenants"] is True
    assert [tenant["tenant_schema"] for tenant in answer["tenants"]] == ["acme", "beta"]
    assert "access" not in answer
    assert session(public, tenant_schema="beta")["tenant_schema"] == "beta"


def test_a_tenants_host_logs_in_nobody_else(guest: TenantBrowser) -> None:
    assert session(guest, tenant_schema="beta")["tenant_schema"] == "acme"


def test_a_login_may_be_an_address_in_any_case(guest: TenantBrowser, acme: Client) -> None:
    with tenant_context(acme):
        User.objects.update(email="Ann@Example.com")
    assert session(guest, username="ann@example.COM")["user"] == {"username": "demo", "email": "Ann@Example.com"}


def test_a_user_who_was_shut_out_is_not_found(acme: Client, guest: TenantBrowser) -> None:
    refresh = session(guest)["refresh"]
    with tenant_context(acme):
        User.objects.update(is_active=False)
    assert guest.post("/api/auth/login/", LOGIN).status_code == 401
    assert guest.post("/api/auth/refresh/", {"refresh": refresh}).status_code == 401


def test_an_unknown_name_takes_as_long_as_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    monkeypatch.setattr(search, "make_password", hashed.append)
    assert search.find("nobody", "secret", None) == []
    assert hashed == ["secret"]


def test_a_name_with_quotes_is_a_name(public: TenantBrowser) -> None:
    assert public.post("/api/auth/login/", {**LOGIN, "username": "x' OR '1'='1"}).status_code == 401


def test_a_session_of_one_tenant_opens_no_other(user: TenantBrowser) -> None:
    """Both tenants have a user 1, and one key signs for both."""
    stranger = TenantBrowser("beta.testserver")
    stranger.headers = user.headers
    assert user.get("/api/auth/me/").status_code == 200
    assert stranger.get("/api/auth/me/").status_code == 401
    assert stranger.get("/api/endpoints/").status_code == 401


def test_a_session_is_renewed_once_for_each_token(guest: TenantBrowser, public: TenantBrowser) -> None:
    first = session(guest)["refresh"]
    second = guest.post("/api/auth/refresh/", {"refresh": first}).json()
    pass_grace()
    assert guest.post("/api/auth/refresh/", {"refresh": first}).status_code == 401
    third = public.post("/api/auth/refresh/", {"refresh": second["refresh"]})
    assert third.status_code == 200
    guest.headers = {"Authorization": f"Bearer {third.json()['access']}"}
    assert guest.get("/api/auth/me/").json()["user"]["username"] == "demo"


def test_who_never_saw_the_answer_asks_again_at_once(guest: TenantBrowser) -> None:
    """A page that was reloaded while it renewed has the old token only."""
    first = session(guest)["refresh"]
    guest.post("/api/auth/refresh/", {"refresh": first})
    again = guest.post("/api/auth/refresh/", {"refresh": first})
    assert again.status_code == 200
    guest.post("/api/auth/logout/", {"refresh": first})
    assert guest.post("/api/auth/refresh/", {"refresh": first}).status_code == 401
    pass_grace()
    assert guest.post("/api/auth/refresh/", {"refresh": again.json()["refresh"]}).status_code == 200


def pass_grace() -> None:
    with schema_context("acme"):
        BlacklistedToken.objects.update(blacklisted_at=timezone.now() - sessions.GRACE)


def test_a_session_is_not_renewed_at_another_tenant(guest: TenantBrowser) -> None:
    refresh = session(guest)["refresh"]
    assert TenantBrowser("beta.testserver").post("/api/auth/refresh/", {"refresh": refresh}).status_code == 401
    assert guest.post("/api/auth/refresh/", {"refresh": refresh}).status_code == 200


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_made_up_token_is_refused(guest: TenantBrowser, is_ours: bool) -> None:
    """Signed by somebody else, or by us for another use: as an access token, or for no tenant."""
    key = django_settings.SECRET_KEY if is_ours else "another key of some length, to please the library"
    claims = {"user_id": "1", "jti": "x", "exp": 4102444800}
    kinds = [{"token_type": "refresh"}, {"token_type": "access", "tenant": "acme"}]
    if not is_ours:
        kinds.append({"token_type": "refresh", "tenant": "acme"})
    for more in kinds:
        raw = jwt.encode({**claims, **more}, key, "HS256")
        assert guest.post("/api/auth/refresh/", {"refresh": raw}).status_code == 401
    guest.headers = {"Authorization": f"Bearer {jwt.encode({**claims, **kinds[0]}, key, 'HS256')}"}
    assert guest.get("/api/auth/me/").status_code == 401


def test_logout_ends_the_session(guest: TenantBrowser) -> None:
    refresh = session(guest)["refresh"]
    for _ in range(2):
        assert guest.post("/api/auth/logout/", {"refresh": refresh}).status_code == 204
    assert guest.post("/api/auth/refresh/", {"refresh": refresh}).status_code == 401


@pytest.mark.requirement("R7", "R17")
def test_people_are_sent_to_the_suffix_whatever_row_is_primary(acme: Client, settings: object) -> None:
    settings.DEFAULT_TENANT_DOMAIN_SUFFIX = "status.example"
    Domain.objects.filter(tenant=acme).update(domain="acme.staging.status.example")
    Domain.objects.bulk_create([Domain(tenant=acme, domain="acme.status.example", is_primary=False)])
    assert organizations.host_of(acme) == "acme.status.example"
    Domain.objects.filter(tenant=acme).delete()
    assert organizations.host_of(acme) == "acme"


@pytest.mark.requirement("R17", "R26")
def test_the_demo_is_open_where_the_operator_says_so(public: TenantBrowser, acme: Client, settings: object) -> None:
    assert public.post("/api/auth/demo/").status_code == 404
    settings.DEMO_TENANT = "acme"
    assert public.post("/api/auth/demo/").json()["tenant_schema"] == "acme"
    with tenant_context(acme):
        User.objects.all().delete()
    assert public.post("/api/auth/demo/").status_code == 404


@pytest.mark.requirement("R81")
def test_too_many_logins_from_one_address_are_refused(guest: TenantBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScopedRateThrottle, "THROTTLE_RATES", {"login": "2/hour"})
    attempts = [guest.post("/api/auth/login/", {**LOGIN, "password": "no"}).status_code for _ in range(3)]
    assert attempts == [401, 401, 429]


@pytest.mark.requirement("R81")
def test_users_and_guests_are_limited_each_alone(user: TenantBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    other, guest = TenantBrowser("beta.testserver").login(), TenantBrowser("acme.testserver")
    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"user": "2/hour"})
    monkeypatch.setattr(AnonRateThrottle, "THROTTLE_RATES", {"anon": "2/hour"})
    assert [user.get("/api/auth/me/").status_code for _ in range(3)] == [200, 200, 429]
    assert other.get("/api/auth/me/").status_code == 200  # user 1 of another tenant
    assert guest.get("/api/auth/me/").status_code == 401


def make_key(user: TenantBrowser) -> tuple[str, int]:
    answer = user.post("/api/api-tokens/", {"name": "Berthmaster"})
    assert answer.status_code == 201
    return answer.json()["key"], answer.json()["id"]


def test_a_program_uses_a_key_that_is_shown_once(user: TenantBrowser, acme: Client) -> None:
    key, _ = make_key(user)
    assert "key" not in user.get("/api/api-tokens/").json()["results"][0]
    assert program_with(key).get("/api/auth/me/").json()["tenant_schema"] == "acme"
    with tenant_context(acme):
        token = ApiToken.objects.get()
        assert key not in (token.digest, token.name)
        assert timezone.now() - token.last_used_at < timedelta(minutes=1)


def test_a_program_registers_an_endpoint_and_marks_a_deploy(user: TenantBrowser, enqueued: object) -> None:
    program = program_with(make_key(user)[0])
    endpoint = program.post("/api/endpoints/", {"name": "Shop", "url": "https://93.184.216.34/"}).json()
    marked = program.post("/api/deploy-marks/", {"name": "shop@prod", "version": "release 7"})
    assert marked.status_code == 201
    (mark,) = program.get(f"/api/endpoints/{endpoint['id']}/history/").json()["deploys"]
    assert (mark["name"], mark["version"]) == ("shop@prod", "release 7")


def test_a_program_need_not_remember_what_it_registered(user: TenantBrowser, enqueued: object) -> None:
    program = program_with(make_key(user)[0])
    body = {"name": "Shop", "url": "https://93.184.216.34/", "expected_status": "200"}
    first = program.put("/api/endpoints/by-url/", body)
    again = program.put("/api/endpoints/by-url/", {"url": body["url"], "name": "Shop, renamed"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert (again.json()["name"], again.json()["expected_status"]) == ("Shop, renamed", "200")


def test_registering_by_url_has_the_same_rules(user: TenantBrowser, enqueued: object) -> None:
    assert user.put("/api/endpoints/by-url/", {"name": "Inside", "url": "http://10.0.0.1/"}).status_code == 400
    assert user.put("/api/endpoints/by-url/", {"name": "None"}).status_code == 400
    urls = [f"https://93.184.216.34/{number}" for number in range(4)]
    codes = [user.put("/api/endpoints/by-url/", {"name": "One", "url": url}).status_code for url in urls]
    assert codes == [201, 201, 201, 403]


def test_a_key_makes_no_keys_and_opens_no_other_tenant(user: TenantBrowser) -> None:
    key, _ = make_key(user)
    assert program_with(key).get("/api/api-tokens/").status_code == 401
    assert program_with(key, "beta.testserver").get("/api/auth/me/").status_code == 401


def test_a_key_that_was_taken_away_is_worth_nothing(user: TenantBrowser) -> None:
    key, number = make_key(user)
    assert user.delete(f"/api/api-tokens/{number}/").status_code == 204
    assert program_with(key).get("/api/endpoints/").status_code == 401


def test_nobody_sees_the_keys_of_another_user(user: TenantBrowser, acme: Client) -> None:
    with tenant_context(acme):
        ApiToken.issue(User.objects.create_user("eve"), "hers")
    assert user.get("/api/api-tokens/").json()["count"] == 0


def test_an_operator_makes_a_key(acme: Client, capsys: pytest.CaptureFixture[str]) -> None:
    with tenant_context(acme):
        call_command("create_api_token", "demo", name="Berthmaster")
        key = capsys.readouterr().out.split("Generated token ")[1].split()[0]
        with pytest.raises(CommandError, match="no user nobody"):
            call_command("create_api_token", "nobody")
    assert program_with(key).get("/api/endpoints/").status_code == 200


def test_a_user_from_before_profiles_is_verified(guest: TenantBrowser, acme: Client) -> None:
    with tenant_context(acme):
        assert not Profile.objects.exists()
    assert session(guest)["access"]


def test_used_up_sessions_are_noted_where_their_users_are(acme: Client) -> None:
    """The document says the public schema; a session ends in the schema of its user, in one transaction with it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'token_blacklist_blacklistedtoken'")
        assert {schema for (schema,) in cursor.fetchall()} == {"acme", "beta"}
