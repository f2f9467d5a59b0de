"""Plan limits, conditions, history, maintenance, channels over HTTP; and the public status."""

from datetime import timedelta

import pytest
from conftest import TenantBrowser
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tenants.utils import tenant_context

from monitors.models import (
    Alert,
    AlertChannel,
    CheckResult,
    DeadLetter,
    Endpoint,
    Incident,
    MaintenanceWindow,
)
from monitors.probe import Outcome
from tenants.models import Client

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def body(number: int, **more: object) -> dict[str, object]:
    return {"name": f"Site {number}", "url": f"https://93.184.216.{number}/", **more}


@pytest.mark.requirement("R27")
@pytest.mark.parametrize(("plan", "last"), [("free", 403), ("canceled", 403), ("pro", 201)])
def test_the_free_plan_has_three_endpoints_and_pro_no_limit(
    user: TenantBrowser, acme: Client, enqueued: object, plan: str, last: int
) -> None:
    Client.objects.filter(pk=acme.pk).update(subscription_status=plan)
    answers = [user.post("/api/endpoints/", body(number)) for number in range(1, 5)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, last]
    if last == 403:
        assert "3 endpoints" in answers[3].json()["detail"]
    assert user.patch(f"/api/endpoints/{answers[0].json()['id']}/", {"name": "New"}).status_code == 200


def test_conditions_are_read_and_written(user: TenantBrowser, enqueued: object) -> None:
    answer = user.post("/api/endpoints/", body(1, expected_status="200, 300-399", max_latency_ms=500))
    assert answer.status_code == 201
    assert answer.json()["expected_status"] == "200,300-399"
    assert answer.json()["max_latency_ms"] == 500
    refused = user.post("/api/endpoints/", body(2, expected_status="2xx"))
    assert "200-299" in refused.json()["expected_status"][0]


@pytest.fixture
def checked(acme: Client, endpoint: Endpoint) -> Endpoint:
    """Ten checks of the last hour, one of them bad; two bad ones in maintenance; one bad one last week."""
    with tenant_context(acme):
        for minute in range(10):
            status = "error:500" if minute == 0 else "200"
            endpoint.results.create(
                status=status, latency_ms=100 + minute, checked_at=NOW - timedelta(minutes=5 + minute)
            )
        for minute in (1, 2):
            endpoint.results.create(status="error:500", checked_at=NOW - timedelta(minutes=minute), in_maintenance=True)
        endpoint.results.create(status="network-error", checked_at=NOW - timedelta(days=3))
    return endpoint


def test_history_has_latency_and_uptime(user: TenantBrowser, checked: Endpoint) -> None:
    answer = user.get(f"/api/endpoints/{checked.pk}/history/?period=7d").json()
    assert answer["uptime"] == {"24h": 90.0, "7d": 81.818, "30d": 81.818}
    assert sum(bucket["checks"] for bucket in answer["buckets"]) == 11
    assert sum(bucket["up"] for bucket in answer["buckets"]) == 9
    newest = answer["buckets"][-1]
    assert 101 <= newest["latency_avg_ms"] <= newest["latency_p95_ms"] <= 109
    assert user.get(f"/api/endpoints/{checked.pk}/history/?period=1y").status_code == 400


def test_history_of_what_was_never_checked_is_empty(user: TenantBrowser, endpoint: Endpoint) -> None:
    answer = user.get(f"/api/endpoints/{endpoint.pk}/history/").json()
    assert answer["buckets"] == []
    assert answer["uptime"] == {"24h": None, "7d": None, "30d": None}


def test_incidents_can_be_read_and_not_written(user: TenantBrowser, acme: Client, endpoint: Endpoint) -> None:
    with tenant_context(acme):
        Incident.objects.create(endpoint=endpoint, cause="error:500", started_at=NOW, resolved_at=NOW)
        Incident.objects.create(endpoint=endpoint, cause="network-error", started_at=NOW)
    assert user.get("/api/incidents/").json()["count"] == 2
    (lasting,) = user.get("/api/incidents/?open=true").json()["results"]
    assert (lasting["endpoint_name"], lasting["cause"]) == ("One", "network-error")
    assert user.post("/api/incidents/", {}).status_code == 405


def test_a_maintenance_window_has_an_end_after_its_start(user: TenantBrowser) -> None:
    window = {"name": "Move", "starts_at": NOW.isoformat(), "ends_at": (NOW + timedelta(hours=1)).isoformat()}
    created = user.post("/api/maintenance-windows/", window)
    assert created.status_code == 201
    path = f"/api/maintenance-windows/{created.json()['id']}/"
    assert user.patch(path, {"ends_at": window["starts_at"]}).status_code == 400
    assert user.delete(path).status_code == 204


@pytest.mark.parametrize(
    ("kind", "target", "status"),
    [
        ("email", "ops@example.com", 201),
        ("email", "nobody", 400),
        ("webhook", "https://93.184.216.34/hook", 201),
        ("webhook", "http://127.0.0.1/", 400),
        ("webhook", "ops@example.com", 400),
        ("pigeon", "loft", 400),
    ],
)
def test_a_channel_must_lead_somewhere(user: TenantBrowser, kind: str, target: str, status: int) -> None:
    answer = user.post("/api/alert-channels/", {"kind": kind, "target": target, "secret": "PLANTED"})
    assert answer.status_code == status
    assert "PLANTED" not in answer.content.decode()


def test_an_organization_has_a_few_channels(user: TenantBrowser) -> None:
    codes = [
        user.post("/api/alert-channels/", {"kind": "email", "target": f"a{number}@example.com"}).status_code
        for number in range(11)
    ]
    assert codes == [201] * 10 + [403]


def test_a_channel_can_be_tried(
    user: TenantBrowser, acme: Client, mailoutbox: list[object], django_capture_on_commit_callbacks: object
) -> None:
    channel = user.post("/api/alert-channels/", {"kind": "email", "target": "ops@example.com"}).json()
    with django_capture_on_commit_callbacks(execute=True):
        assert user.post(f"/api/alert-channels/{channel['id']}/test/").status_code == 202
    assert mailoutbox[0].subject == "[Acme] Test alert"
    assert user.get("/api/alerts/").json()["results"][0]["state"] == "sent"


@pytest.mark.parametrize(
    "path", ["incidents", "maintenance-windows", "alert-channels", "alerts", "dead-letters", "endpoints"]
)
def test_a_guest_reads_nothing_and_a_stranger_nothing_of_ours(
    guest: TenantBrowser, acme: Client, endpoint: Endpoint, path: str
) -> None:
    with tenant_context(acme):
        incident = Incident.objects.create(endpoint=endpoint, cause="x", started_at=NOW)
        MaintenanceWindow.objects.create(name="x", starts_at=NOW, ends_at=NOW + timedelta(1))
        channel = AlertChannel.objects.create(kind="email", target="ops@example.com")
        Alert.objects.create(channel=channel, incident=incident, event="down", created_at=NOW, next_attempt_at=NOW)
        DeadLetter.put("ping_endpoint", endpoint.url, "x", NOW)
    assert guest.get(f"/api/{path}/").status_code == 401
    assert TenantBrowser("acme.testserver").login().get(f"/api/{path}/").json()["count"] == 1
    assert TenantBrowser("beta.testserver").login().get(f"/api/{path}/").json()["count"] == 0


def test_the_public_status_tells_programs_what_people_see(
    guest: TenantBrowser, acme: Client, endpoint: Endpoint
) -> None:
    with tenant_context(acme):
        endpoint.record(Outcome("error:500", 7), NOW)
        Incident.objects.create(endpoint=endpoint, cause="error:500", started_at=NOW)
        MaintenanceWindow.objects.create(name="Move", starts_at=NOW - timedelta(1), ends_at=NOW + timedelta(1))
    answer = guest.get("/api/status/").json()
    assert (answer["organization"], answer["status"]) == ("Acme", "down")
    assert answer["endpoints"][0]["state"] == "down"
    assert answer["maintenance"][0]["name"] == "Move"
    assert endpoint.url not in guest.get("/api/status/").content.decode()
    page = guest.get("/").content.decode()
    assert "Maintenance: Move" in page
    assert "going on" in page


@pytest.mark.parametrize(
    "path", ["/api/endpoints/?page_size=200", "/api/status/", "/api/incidents/", "/api/alerts/", "/"]
)
def test_many_rows_take_no_more_queries_than_one(
    user: TenantBrowser, acme: Client, endpoint: Endpoint, path: str, django_assert_num_queries: object
) -> None:
    def fill(count: int) -> None:
        with tenant_context(acme):
            channel, _ = AlertChannel.objects.get_or_create(kind="email", target="ops@example.com")
            for number in range(count):
                url = f"http://192.0.2.{count}/{number}"
                made = Endpoint.objects.create(name="x", url=url, is_paused=number % 2 == 0)
                made.record(Outcome("200", 5), NOW)
                told = Incident.objects.create(endpoint=made, cause="x", started_at=NOW)
                Alert.objects.create(channel=channel, incident=told, event="down", created_at=NOW, next_attempt_at=NOW)

    fill(1)
    assert user.get(path).status_code == 200  # what is remembered is remembered now
    with CaptureQueriesContext(connection) as first:
        user.get(path)
    fill(20)
    with django_assert_num_queries(len(first)):
        user.get(path)


def test_in_production_the_public_status_is_made_once_for_many(
    guest: TenantBrowser, acme: Client, endpoint: Endpoint, settings: object
) -> None:
    settings.STATUS_CACHE_SECONDS = 60
    beta = TenantBrowser("beta.testserver")
    assert [browser.get("/api/status/").json()["organization"] for browser in (guest, beta)] == ["Acme", "Beta"]
    with tenant_context(acme):
        endpoint.record(Outcome("error:500", 7), NOW)
    assert guest.get("/api/status/").json()["endpoints"][0]["state"] == "pending"
    assert [browser.get("/api/status/").json()["organization"] for browser in (guest, beta)] == ["Acme", "Beta"]
    cache.clear()
    assert guest.get("/api/status/").json()["endpoints"][0]["state"] == "down"


def test_a_program_may_ask_for_a_long_page(user: TenantBrowser, acme: Client) -> None:
    with tenant_context(acme):
        Endpoint.objects.bulk_create(Endpoint(name="x", url=f"http://192.0.2.1/{number}") for number in range(210))
    lengths = [
        len(user.get(f"/api/endpoints/{words}").json()["results"])
        for words in ("", "?page_size=200", "?page_size=9999", "?page_size=200&page=2")
    ]
    assert lengths == [50, 200, 200, 10]


def test_what_is_old_is_pruned(acme: Client, endpoint: Endpoint) -> None:
    from monitors import schedule

    old = NOW - timedelta(days=31)
    with tenant_context(acme):
        channel = AlertChannel.objects.create(kind="email", target="ops@example.com")
        for state in ("sent", "failed", "pending"):
            Alert.objects.create(channel=channel, event="test", state=state, created_at=old, next_attempt_at=old)
        DeadLetter.put("ping_endpoint", "x", "y", old)
        CheckResult.objects.create(endpoint=endpoint, status="200", checked_at=old)
        assert schedule.prune(NOW) == 4
        assert Alert.objects.get().state == "pending"
