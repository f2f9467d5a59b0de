import pytest
from conftest import TenantBrowser
from django_tenants.utils import tenant_context

from monitors.models import Endpoint
from tenants.models import Client

pytestmark = pytest.mark.django_db
BODY = {"name": "Site", "url": "https://93.184.216.34/", "interval_minutes": 5}


def test_an_endpoint_is_created_and_checked_at_once(
    user: TenantBrowser, enqueued: list[tuple[str, str]], django_capture_on_commit_callbacks: object
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = user.post("/api/endpoints/", BODY)
    assert answer.status_code == 201
    assert answer.json()["last_status"] == "pending"
    assert enqueued == [("acme", answer.json()["id"])]


def test_an_endpoint_is_created_although_the_broker_is_away(
    user: TenantBrowser, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    from kombu.exceptions import OperationalError

    from monitors import tasks

    def fail(*_: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(tasks.ping_endpoint, "delay", fail)
    with django_capture_on_commit_callbacks(execute=True):
        assert user.post("/api/endpoints/", BODY).status_code == 201


def test_an_endpoint_is_read_changed_and_deleted(user: TenantBrowser, endpoint: Endpoint) -> None:
    path = f"/api/endpoints/{endpoint.pk}/"
    assert user.get(path).json()["name"] == "One"
    assert user.patch(path, {"name": "Two"}).json()["name"] == "Two"
    assert user.delete(path).status_code == 204
    assert user.get("/api/endpoints/").json()["count"] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://10.0.0.1/"},
        {"url": "ftp://93.184.216.34/"},
        {"url": "http://user:secret@93.184.216.34/"},
        {"interval_minutes": 0},
        {"interval_minutes": 1441},
        {"name": ""},
    ],
)
def test_bad_input_is_refused(user: TenantBrowser, change: dict[str, object]) -> None:
    answer = user.post("/api/endpoints/", {**BODY, **change})
    assert answer.status_code == 400
    assert list(answer.json()) == list(change)


def test_a_url_is_watched_once_per_tenant(user: TenantBrowser, endpoint: Endpoint, settings: object) -> None:
    settings.SSRF_ALLOWED_TARGETS = ["192.0.2.0/24"]
    assert user.post("/api/endpoints/", {**BODY, "url": endpoint.url}).status_code == 400


def test_what_the_checks_found_cannot_be_written(user: TenantBrowser, endpoint: Endpoint) -> None:
    answer = user.patch(f"/api/endpoints/{endpoint.pk}/", {"last_status": "200"})
    assert answer.json()["last_status"] == "pending"


@pytest.mark.parametrize("method", ["get", "delete"])
def test_nobody_sees_endpoints_of_another_tenant(method: str, endpoint: Endpoint) -> None:
    stranger = TenantBrowser("beta.testserver").login()
    assert getattr(stranger, method)(f"/api/endpoints/{endpoint.pk}/").status_code == 404
    with tenant_context(Client.objects.get(schema_name="acme")):
        assert Endpoint.objects.filter(pk=endpoint.pk).exists()


def test_a_guest_may_not_read_endpoints(guest: TenantBrowser) -> None:
    assert guest.get("/api/endpoints/").status_code == 401
