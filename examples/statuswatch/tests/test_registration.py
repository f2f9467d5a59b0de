"""An organization signs itself up, and nothing of it is left when that fails."""

import re

import pytest
from conftest import TenantBrowser
from django.contrib.auth.models import User
from django.core import signing
from django.db import IntegrityError, connection
from django_tenants.utils import tenant_context
from kombu.exceptions import OperationalError

from accounts import registration, tasks
from accounts.models import Profile
from tenants import organizations
from tenants.models import Client, Domain

pytestmark = pytest.mark.django_db
PASSWORD = "Correct-horse-9"
BODY = {"organization": "Fresh Fish & Co", "email": "ann@example.com", "password": PASSWORD}


@pytest.fixture(autouse=True)
def suffix(settings: object) -> None:
    settings.DEFAULT_TENANT_DOMAIN_SUFFIX = "testserver"
    settings.FRONTEND_URL = "http://testserver"


def schemas() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace")
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.requirement("R153", "R156")
def test_from_sign_up_to_the_first_login(public: TenantBrowser, mailoutbox: list[object]) -> None:
    answer = public.post("/api/auth/register/", BODY)
    assert answer.status_code == 201
    assert answer.json()["tenant_domain"] == "fresh-fish-co.testserver"
    assert answer.json()["plan"] == "free"
    assert "fresh_fish_co" in schemas()

    theirs = TenantBrowser("fresh-fish-co.testserver")
    login = {"username": "ann@example.com", "password": PASSWORD}
    refused = theirs.post("/api/auth/login/", login)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "email_unverified")

    (mail,) = mailoutbox
    assert mail.to == ["ann@example.com"]
    link = re.search(r"http://testserver(/\S+)", mail.body)[1]
    assert b"Your address is confirmed" in public.get(link).content
    assert b"Your address is confirmed" in public.get(link).content  # a mail scanner may have been first
    assert theirs.post("/api/auth/login/", login).status_code == 200
    with tenant_context(Client.objects.get(schema_name="fresh_fish_co")):
        assert User.objects.get().groups.get().name == "Owner"


@pytest.mark.parametrize("name", ["Acme", "ACME", "acme"])
def test_two_organizations_do_not_share_a_name(public: TenantBrowser, name: str) -> None:
    answer = public.post("/api/auth/register/", {**BODY, "organization": name})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "duplicate_organization_name")


def test_a_failure_after_the_schema_leaves_nothing(
    public: TenantBrowser, monkeypatch: pytest.MonkeyPatch, mailoutbox: list[object]
) -> None:
    seen: list[bool] = []

    def fail(*_: object) -> None:
        seen.append("fresh_fish_co" in schemas())
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(registration, "_create_owner", fail)
    public.browser.raise_request_exception = False
    assert public.post("/api/auth/register/", BODY).status_code == 500
    assert seen == [True]
    assert "fresh_fish_co" not in schemas()
    assert not Client.objects.filter(name=BODY["organization"]).exists()
    assert not Domain.objects.filter(domain__startswith="fresh").exists()
    assert mailoutbox == []


def test_the_same_name_at_the_same_moment_is_a_conflict(public: TenantBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(name: str) -> None:
        raise IntegrityError("duplicate key")

    monkeypatch.setattr(organizations, "create", lose)
    answer = public.post("/api/auth/register/", BODY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "schema_conflict")


@pytest.mark.parametrize(
    ("name", "slug", "schema"),
    [
        ("Fresh Fish", "fresh-fish", "fresh_fish"),
        ("www", "www-1", "www_1"),  # reserved
        ("Acme!", "acme-1", "acme_1"),  # taken
        ("pg temp", "pg-temp", "o_pg_temp"),
        ("3M", "3m", "o_3m"),
        ("日本", "org", "org"),
        ("x" * 90, "x" * 48, "x" * 48),
    ],
)
def test_a_name_becomes_a_host_and_a_schema(name: str, slug: str, schema: str, acme: Client) -> None:
    assert organizations.free_slug(name) == slug
    assert organizations.schema_of(slug) == schema


@pytest.mark.parametrize(
    "password",
    [
        "Short-1a",
        "alllowercase-9",
        "ALLUPPERCASE-9",
        "No-digits-here",
        "NoSignsHere99",
        "Aa1-" + "xy" * 63,
        "Ann@example.com1",
    ],
)
def test_a_weak_password_is_refused(public: TenantBrowser, password: str) -> None:
    answer = public.post("/api/auth/register/", {**BODY, "password": password})
    assert answer.status_code == 400
    assert list(answer.json()) == ["password"]


@pytest.mark.parametrize("change", [{"email": "nobody"}, {"organization": "x"}, {"organization": "x" * 101}])
def test_bad_input_is_named(public: TenantBrowser, change: dict[str, str]) -> None:
    answer = public.post("/api/auth/register/", {**BODY, **change})
    assert (answer.status_code, list(answer.json())) == (400, list(change))


@pytest.fixture
def unverified(acme: Client) -> User:
    with tenant_context(acme):
        User.objects.update(email="ann@example.com")
        user = User.objects.get(username="demo")
        Profile.objects.create(user=user)
        return user


def bad_token(kind: str, acme: Client, user: User) -> str:
    told = {"tenant": "acme", "user": user.pk, "email": user.email}
    if kind == "other salt":
        return signing.dumps(told, salt="x")
    if kind == "gone tenant":
        return signing.dumps({**told, "tenant": "gone"}, salt=registration.SALT)
    if kind == "changed address":
        return signing.dumps({**told, "email": "eve@example.com"}, salt=registration.SALT)
    return registration.make_token(acme, user) if kind == "old" else kind


@pytest.mark.parametrize("kind", ["", "nonsense", "other salt", "old", "gone tenant", "changed address"])
def test_a_link_that_is_not_good_confirms_nothing(
    public: TenantBrowser, acme: Client, unverified: User, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = bad_token(kind, acme, unverified)
    if kind == "old":
        monkeypatch.setattr(registration, "LINK_LIVES", -registration.LINK_LIVES)
    assert public.get(f"/verify-email/?token={token}").status_code == 400
    with tenant_context(acme):
        assert not Profile.objects.get().email_verified


def test_the_mail_can_be_asked_for_again(public: TenantBrowser, unverified: User, mailoutbox: list[object]) -> None:
    for email in ("ann@example.com", "nobody@example.com"):
        assert public.post("/api/auth/resend-verification/", {"email": email}).status_code == 202
    assert [mail.to for mail in mailoutbox] == [["ann@example.com"]]


def test_nobody_who_is_verified_gets_a_mail(acme: Client, unverified: User, mailoutbox: list[object]) -> None:
    with tenant_context(acme):
        Profile.objects.update(email_verified=True)
    assert not registration.send("acme", unverified.pk)
    assert not registration.send("gone", 1)
    assert mailoutbox == []


def test_a_sign_up_works_without_the_broker(public: TenantBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(tasks.send_verification, "delay", fail)
    assert public.post("/api/auth/register/", BODY).status_code == 201


def test_a_tenants_host_takes_no_sign_up(guest: TenantBrowser) -> None:
    assert guest.post("/api/auth/register/", BODY).status_code == 404
