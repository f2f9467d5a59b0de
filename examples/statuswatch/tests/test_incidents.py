from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from django_tenants.utils import tenant_context

from monitors import incidents
from monitors.models import Alert, AlertChannel, Endpoint, Incident, MaintenanceWindow
from monitors.probe import Outcome
from tenants.models import Client

pytestmark = pytest.mark.django_db
NOW = timezone.now()
UP, DOWN = Outcome("200", 5), Outcome("error:500", 5)


@pytest.fixture
def inside(acme: Client, endpoint: Endpoint) -> object:
    with tenant_context(acme):
        AlertChannel.objects.create(kind="email", target="ops@example.com")
        yield endpoint


def check(endpoint: Endpoint, *outcomes: Outcome, start: datetime = NOW) -> list[str]:
    """Store one outcome a minute; return what is to be told."""
    told: list[Alert] = []
    for minute, outcome in enumerate(outcomes):
        told += incidents.store(endpoint, outcome, start + timedelta(minutes=minute))
    return [alert.event for alert in told]


def test_one_failure_is_no_incident(inside: Endpoint) -> None:
    assert check(inside, UP, DOWN, UP, DOWN, UP) == []
    assert not Incident.objects.exists()


def test_the_second_failure_in_a_row_opens_one_and_the_first_good_check_ends_it(inside: Endpoint) -> None:
    assert check(inside, UP, DOWN, DOWN, DOWN, UP, UP) == ["down", "recovered"]
    incident = Incident.objects.get()
    assert incident.cause == "error:500"
    assert incident.started_at == NOW + timedelta(minutes=1)  # since the first of the two
    assert incident.resolved_at == NOW + timedelta(minutes=4)


def test_every_incident_is_told_of_once(inside: Endpoint) -> None:
    assert check(inside, DOWN, DOWN, UP, DOWN, DOWN) == ["down", "recovered", "down"]
    assert Incident.objects.filter(resolved_at=None).count() == 1


def test_the_database_holds_one_open_incident(inside: Endpoint) -> None:
    Incident.objects.create(endpoint=inside, cause="x", started_at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Incident.objects.create(endpoint=inside, cause="x", started_at=NOW)


def test_a_channel_that_is_off_is_told_nothing(inside: Endpoint) -> None:
    AlertChannel.objects.update(is_enabled=False)
    assert check(inside, DOWN, DOWN) == []
    assert Incident.objects.count() == 1


def test_the_checks_of_a_deleted_endpoint_are_forgotten(inside: Endpoint) -> None:
    Endpoint.objects.filter(pk=inside.pk).delete()
    assert incidents.store(inside, DOWN, NOW) == []


@pytest.mark.parametrize("is_for_all", [True, False])
def test_failures_in_maintenance_open_nothing(inside: Endpoint, is_for_all: bool) -> None:
    MaintenanceWindow.objects.create(
        name="Move",
        endpoint=None if is_for_all else inside,
        starts_at=NOW,
        ends_at=NOW + timedelta(minutes=3),
    )
    assert check(inside, DOWN, DOWN, DOWN) == []
    assert inside.results.filter(in_maintenance=True).count() == 3
    later = NOW + timedelta(minutes=3)
    assert check(inside, DOWN, start=later) == []  # the first that counts
    assert check(inside, DOWN, start=later + timedelta(minutes=1)) == ["down"]


def test_maintenance_of_another_endpoint_hides_nothing(inside: Endpoint) -> None:
    other = Endpoint.objects.create(name="Two", url="http://192.0.2.2/")
    MaintenanceWindow.objects.create(name="x", endpoint=other, starts_at=NOW, ends_at=NOW + timedelta(hours=1))
    assert check(inside, DOWN, DOWN) == ["down"]


def test_a_good_check_in_maintenance_ends_an_incident(inside: Endpoint) -> None:
    check(inside, DOWN, DOWN)
    later = NOW + timedelta(minutes=5)
    MaintenanceWindow.objects.create(name="x", starts_at=later, ends_at=later + timedelta(hours=1))
    assert check(inside, UP, start=later) == ["recovered"]
