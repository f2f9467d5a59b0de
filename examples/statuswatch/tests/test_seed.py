import pytest
from conftest import TenantBrowser
from django.core.management import call_command
from django.db import connection

from tenants.models import Client, Domain

pytestmark = pytest.mark.django_db


def test_the_demo_can_be_seeded_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEED_PASSWORD", "a-demo-password")
    for _ in range(2):
        call_command("seed_demo", suffix="testserver", tenant="gamma")
    assert Client.objects.filter(schema_name="gamma").count() == 1
    assert Domain.objects.get(domain="gamma.testserver").is_primary
    browser = TenantBrowser("gamma.testserver")
    login = browser.post("/api/auth/login/", {"username": "demo", "password": "a-demo-password"})
    assert login.status_code == 200
    assert b"This release" in browser.get("/").content


def test_its_user_owns_the_organization_but_not_where_anybody_is_that_user(settings: object) -> None:
    """Who was given the password may buy; who comes by the demo's button may not, seeded before or after."""
    settings.DEBUG, settings.STRIPE_SECRET_KEY = True, "sk_test_1"
    call_command("seed_demo", suffix="testserver", tenant="epsilon")
    browser = TenantBrowser("epsilon.testserver")
    login = browser.post("/api/auth/login/", {"username": "demo", "password": "demo-password-1"})
    browser.headers = {"Authorization": f"Bearer {login.json()['access']}"}
    assert browser.get("/api/billing/").json()["can_manage"] is True
    settings.DEMO_TENANT = "epsilon"
    assert browser.get("/api/billing/").json()["can_manage"] is False
    assert browser.post("/api/billing/cancel/").status_code == 403


def test_without_a_password_nobody_can_log_in(capsys: pytest.CaptureFixture[str], settings: object) -> None:
    settings.DEBUG = False
    call_command("seed_demo", suffix="testserver", tenant="delta")
    assert "WITHOUT a password" in capsys.readouterr().out
    connection.set_schema_to_public()
