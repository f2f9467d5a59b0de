"""A test database with the public tenant and the tenants acme and beta, each with one user."""

import os
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client as Browser
from django_tenants.utils import tenant_context

from monitors.models import Endpoint
from tenants.models import Client, Domain

PASSWORD = "a-long-test-password"


def pytest_configure() -> None:
    """Each process of the tests has three databases of Redis for itself, as it has its own of PostgreSQL.

    The first three are for the programs that tests start.
    """
    from django.conf import settings

    first = 3 + 3 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    server = settings.CACHES["default"]["LOCATION"].rpartition("/")[0]
    settings.CELERY_BROKER_URL, settings.CELERY_RESULT_BACKEND = f"{server}/{first}", f"{server}/{first + 1}"
    settings.CACHES["default"]["LOCATION"] = f"{server}/{first + 2}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole topologies first: they take longest and wait most."""
    items.sort(key=lambda item: item.get_closest_marker("docker") is None)


@pytest.fixture(scope="session")
def quick_passwords() -> None:
    """Hash passwords as no server should; the real way takes half a second each."""
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_setup(quick_passwords: None, django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> None:
    """Add the tenants once; making a schema takes a second."""
    with django_db_blocker.unblock():
        _make_tenant("public", "testserver")
        for name in ("acme", "beta"):
            with tenant_context(_make_tenant(name, f"{name}.testserver")):
                User.objects.create_user("demo", password=PASSWORD)


def _make_tenant(schema_name: str, host: str) -> Client:
    client = Client(schema_name=schema_name, name=schema_name.capitalize())
    client.save(verbosity=0)
    Domain.objects.create(domain=host, tenant=client, is_primary=True)
    return client


@pytest.fixture(autouse=True)
def fresh_state(settings: object) -> Iterator[None]:
    """No throttle or schema is left over from another test; private targets are refused unless a test allows them."""
    settings.SSRF_ALLOWED_TARGETS = []
    cache.clear()
    yield
    from django.db import connection

    connection.set_schema_to_public()


@pytest.fixture
def acme(db: None) -> Client:
    return Client.objects.get(schema_name="acme")


@pytest.fixture
def endpoint(acme: Client) -> Endpoint:
    with tenant_context(acme):
        return Endpoint.objects.create(name="One", url="http://192.0.2.1/", interval_minutes=1)


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What would have gone to the broker."""
    from monitors import tasks

    calls: list[tuple[str, str]] = []
    monkeypatch.setattr(tasks.ping_endpoint, "delay", lambda *arguments: calls.append(arguments))
    return calls


class TenantBrowser:
    """A browser on one host, with or without a token."""

    def __init__(self, host: str) -> None:
        self.browser = Browser(SERVER_NAME=host)
        self.headers: dict[str, str] = {}

    def login(self) -> "TenantBrowser":
        answer = self.post("/api/auth/login/", {"username": "demo", "password": PASSWORD})
        self.headers = {"Authorization": f"Bearer {answer.json()['access']}"}
        return self

    def get(self, path: str, **headers: str) -> object:
        return self.browser.get(path, headers={**self.headers, **headers})

    def post(self, path: str, body: object = None) -> object:
        return self.browser.post(path, body or {}, content_type="application/json", headers=self.headers)

    def patch(self, path: str, body: object) -> object:
        return self.browser.patch(path, body, content_type="application/json", headers=self.headers)

    def put(self, path: str, body: object) -> object:
        return self.browser.put(path, body, content_type="application/json", headers=self.headers)

    def delete(self, path: str) -> object:
        return self.browser.delete(path, headers=self.headers)


@pytest.fixture
def public(db: None) -> TenantBrowser:
    return TenantBrowser("testserver")


@pytest.fixture
def guest(acme: Client) -> TenantBrowser:
    return TenantBrowser("acme.testserver")


@pytest.fixture
def user(guest: TenantBrowser) -> TenantBrowser:
    return guest.login()
