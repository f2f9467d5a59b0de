"""The frontend's types say what the API says: read from its description where that is precise, else from an answer."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import PASSWORD, TenantBrowser
from django.contrib.auth.models import User
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts import sessions
from monitors.models import DeployMark, Endpoint, Incident, MaintenanceWindow
from monitors.probe import Outcome
from tenants.models import Client

pytestmark = pytest.mark.django_db
TYPES = Path(__file__).parents[1] / "frontend" / "src" / "api" / "types.ts"
INTERFACE = re.compile(r"export interface (\w+)(?:<T>)?(?: extends (\w+))? \{\n(.*?)\n\}", re.DOTALL)
FIELD = re.compile(r"^  (\w+): (.+);$", re.MULTILINE)
SCALARS = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}
OF_RELEASES = {"status_since"}  # what a later release adds, the frontend of an older one does not know


def interfaces() -> dict[str, dict[str, str]]:
    """Return each interface's fields with their types, those of the extended one included."""
    found: dict[str, dict[str, str]] = {}
    for name, base, body in INTERFACE.findall(TYPES.read_text()):
        found[name] = {**found.get(base, {}), **dict(FIELD.findall(body))}
    return found


def shape(value: object) -> str:
    """Return a JSON value's type as TypeScript names it."""
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "object"}
    return "null" if value is None else names[type(value)]


def allows(declared: str, value: object) -> bool:
    """Say whether a declared type takes a value; of named types only whether they are texts or not."""
    options = [option.strip() for option in declared.split("|")]
    kind = shape(value)
    if kind in options:
        return True
    if kind == "list":
        return any(option.endswith("[]") for option in options)
    if kind == "string":
        return any(option.startswith('"') or option in {"Plan", "State", "Period", "ChannelKind"} for option in options)
    return kind == "object" and any(option[0].isupper() for option in options)


def check(name: str, answer: object) -> None:
    """Compare an answer with an interface, both ways."""
    declared = interfaces()[name]
    assert isinstance(answer, dict)
    assert set(answer) - OF_RELEASES == set(declared), name
    wrong = {field: answer[field] for field, type_ in declared.items() if not allows(type_, answer[field])}
    assert wrong == {}, name


@pytest.mark.parametrize(
    ("interface", "component"),
    [
        ("Endpoint", "Endpoint"),
        ("Incident", "Incident"),
        ("MaintenanceWindow", "MaintenanceWindow"),
        ("AlertChannel", "AlertChannel"),
        ("Alert", "Alert"),
        ("DeployMark", "DeployMark"),
        ("ApiToken", "ApiToken"),
        ("Billing", "Billing"),
        ("PlanOffer", "Plan"),
    ],
)
def test_a_type_has_the_fields_of_the_description(guest: TenantBrowser, interface: str, component: str) -> None:
    schemas = guest.get("/api/schema/").json()["components"]["schemas"]
    properties = {
        name: spec
        for name, spec in schemas[component]["properties"].items()
        if not spec.get("writeOnly") and name not in OF_RELEASES
    }
    declared = interfaces()[interface]
    assert set(declared) == set(properties)
    for name, spec in properties.items():
        if "type" in spec:
            is_named = '"' in declared[name] or declared[name][0].isupper()
            assert is_named or SCALARS[spec["type"]] in declared[name], name
        assert ("null" in declared[name]) == bool(spec.get("nullable")), name


def test_a_list_comes_in_pages_as_the_type_has_it(user: TenantBrowser, endpoint: Endpoint) -> None:
    page = user.get("/api/endpoints/").json()
    assert set(page) == set(interfaces()["Page"])
    check("Endpoint", page["results"][0])


def test_the_types_of_sessions_are_those_of_the_answers(
    user: TenantBrowser, public: TenantBrowser, acme: Client
) -> None:
    with tenant_context(acme):
        tokens = sessions.begin(User.objects.get())
    refreshed = user.post("/api/auth/refresh/", {"refresh": tokens["refresh"]}).json()
    check("Tokens", refreshed)
    check("Me", user.get("/api/auth/me/").json())
    check("Billing", user.get("/api/billing/").json())
    choice = public.post("/api/auth/login/", {"username": "demo", "password": PASSWORD}).json()
    check("TenantChoice", choice)
    check("Tenant", choice["tenants"][0])
    chosen = {"username": "demo", "password": PASSWORD, "tenant_schema": "acme"}
    check("LoggedIn", public.post("/api/auth/login/", chosen).json())


def test_the_type_of_a_registration_is_that_of_the_answer(public: TenantBrowser) -> None:
    given = {"organization": "Typed", "email": "ann@example.com", "password": "Correct-horse-9"}
    check("Registered", public.post("/api/auth/register/", given).json())


def test_the_types_of_history_and_status_are_those_of_the_answers(
    user: TenantBrowser, acme: Client, endpoint: Endpoint
) -> None:
    now = timezone.now()
    with tenant_context(acme):
        endpoint.record(Outcome("200", 12), now - timedelta(minutes=1))
        DeployMark.objects.create(name="shop", version="v2")
        Incident.objects.create(endpoint=endpoint, cause="error:500", started_at=now)
        MaintenanceWindow.objects.create(name="Move", starts_at=now - timedelta(1), ends_at=now + timedelta(1))
    history = user.get(f"/api/endpoints/{endpoint.pk}/history/").json()
    check("History", history)
    check("Bucket", history["buckets"][0])
    check("DeployMark", history["deploys"][0])
    assert set(history["uptime"]) == {"24h", "7d", "30d"}
    status = user.get("/api/status/").json()
    check("Status", status)
    check("StatusEndpoint", status["endpoints"][0])
    check("RecentCheck", status["endpoints"][0]["recent"][0])
    check("StatusIncident", status["incidents"][0])
    check("StatusMaintenance", status["maintenance"][0])


def test_every_host_says_what_it_is(guest: TenantBrowser, public: TenantBrowser, settings: object) -> None:
    settings.DEFAULT_TENANT_DOMAIN_SUFFIX, settings.DEMO_TENANT = "testserver", "acme"
    ours, hub = guest.get("/api/host/").json(), public.get("/api/host/").json()
    check("Host", ours)
    check("Host", hub)
    assert (ours["kind"], ours["organization"]) == ("organization", "Acme")
    assert (hub["kind"], hub["organization"], hub["has_demo"]) == ("public", "", True)
    assert TenantBrowser("nobody.testserver").get("/api/host/").status_code == 404
