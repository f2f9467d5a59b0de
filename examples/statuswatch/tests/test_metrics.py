import re
from datetime import timedelta

import pytest
import redis
from conftest import TenantBrowser
from django.utils import timezone
from django_tenants.utils import tenant_context

from health import metrics, workers
from monitors.models import DeadLetter, Endpoint, Incident
from monitors.probe import Outcome
from tenants.models import Client

pytestmark = pytest.mark.django_db
NOW = timezone.now()
SAMPLE = re.compile(r'statuswatch_[a-z_]+(\{[a-z]+="[^"]*"\})? [0-9.e+]+')


@pytest.fixture
def endpoints(acme: Client) -> None:
    """Acme has one of each state, beta one that is up."""
    beta = Client.objects.get(schema_name="beta")
    for client, outcomes in ((acme, ("200", "error:500", None)), (beta, ("301",))):
        with tenant_context(client):
            for number, status in enumerate(outcomes):
                endpoint = Endpoint.objects.create(name="x", url=f"http://192.0.2.{number}/")
                if status is not None:
                    endpoint.record(Outcome(status, 5), NOW)
    with tenant_context(acme):
        down = Endpoint.objects.get(last_status="error:500")
        Incident.objects.create(endpoint=down, cause="error:500", started_at=NOW)
        down.results.create(status="200", checked_at=NOW - timedelta(hours=2))
        DeadLetter.put("ping_endpoint", "x", "y", NOW)


@pytest.mark.requirement("R80", "R191")
def test_the_figures_count_all_tenants(public: TenantBrowser, endpoints: None, settings: object) -> None:
    workers._store().delete(workers.KEY)
    workers.note("one")
    answer = public.get("/metrics")
    assert answer["Content-Type"] == metrics.CONTENT_TYPE
    lines = answer.content.decode().splitlines()
    for line in (
        f'statuswatch_build_info{{version="{settings.APP_VERSION}"}} 1',
        "statuswatch_tenants 2",
        'statuswatch_endpoints{state="up"} 2',  # trap 12: healthy was always 0
        'statuswatch_endpoints{state="down"} 1',
        'statuswatch_endpoints{state="pending"} 1',
        'statuswatch_endpoints{state="paused"} 0',
        "statuswatch_incidents_open 1",
        "statuswatch_dead_letters 1",
        "statuswatch_checks_last_hour 3",
        "statuswatch_broker_up 1",
        f'statuswatch_workers{{version="{settings.APP_VERSION}"}} 1',
    ):
        assert line in lines
    workers.forget("one")


def test_every_line_is_one_that_prometheus_reads(public: TenantBrowser) -> None:
    lines = public.get("/metrics/").content.decode().splitlines()
    families = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    samples = [line for line in lines if not line.startswith("#")]
    assert [line for line in samples if not SAMPLE.fullmatch(line)] == []
    assert {re.split("[ {]", line)[0] for line in samples} <= families


def test_the_figures_of_the_database_come_without_the_broker(
    public: TenantBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> dict[str, int]:
        raise redis.ConnectionError

    monkeypatch.setattr(workers, "living", fail)
    text = public.get("/metrics").content.decode()
    assert "statuswatch_broker_up 0" in text
    assert "statuswatch_tenants 2" in text


def test_a_server_without_a_tenant_has_figures_too(public: TenantBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    assert metrics._counts([]) == (0,) * 8


def test_a_label_cannot_break_out() -> None:
    assert metrics._labels((("version", 'a"b\\c\nd'),)) == '{version="a\\"b\\\\c\\nd"}'


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
def test_nobody_outside_sees_them(public: TenantBrowser, guest: TenantBrowser, path: str, settings: object) -> None:
    outside = {"X-Forwarded-For": "203.0.113.9"}
    for browser in (public, guest):
        assert browser.get(path, **outside).status_code == 404
    settings.INTERNAL_NETWORKS = ["203.0.113.9/32"]
    assert public.get(path, **outside).status_code == 200
