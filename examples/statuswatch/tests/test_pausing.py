"""Who goes from Pro to Free keeps every endpoint; those beyond the limit are not checked, and say so."""

from datetime import timedelta

import pytest
from conftest import TenantBrowser
from django.utils import timezone
from django_tenants.utils import tenant_context

from monitors import schedule, tasks, watching
from monitors.models import Endpoint
from tenants.models import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def five(acme: Client) -> list[Endpoint]:
    """Endpoints 0 to 4, made in this order; their URLs sort the other way round."""
    start = timezone.now() - timedelta(days=1)
    with tenant_context(acme):
        made = [Endpoint.objects.create(name=f"Site {n}", url=f"http://192.0.2.{9 - n}/") for n in range(5)]
        for number, endpoint in enumerate(made):
            Endpoint.objects.filter(pk=endpoint.pk).update(created_at=start + timedelta(hours=number))
    return made


def set_plan(acme: Client, plan: str) -> None:
    Client.objects.filter(pk=acme.pk).update(subscription_status=plan)


def watched(acme: Client, plan: str) -> set[str]:
    with tenant_context(acme):
        return set(watching.watched(plan).values_list("name", flat=True))


@pytest.mark.parametrize("plan", ["free", "canceled"])
def test_beyond_the_limit_the_oldest_are_checked(acme: Client, five: list[Endpoint], plan: str) -> None:
    assert watched(acme, plan) == {"Site 0", "Site 1", "Site 2"}
    assert len(watched(acme, "pro")) == 5


def test_the_schedule_leaves_out_what_is_paused(acme: Client, five: list[Endpoint], enqueued: list[object]) -> None:
    set_plan(acme, "canceled")
    assert tasks.schedule_endpoint_checks()["enqueued"] == 3
    with tenant_context(acme):
        assert schedule.due(timezone.now() + timedelta(days=1), "pro").count() == 5


def test_a_check_that_waited_during_the_downgrade_is_not_made(acme: Client, five: list[Endpoint]) -> None:
    set_plan(acme, "canceled")
    assert tasks.ping_endpoint("acme", str(five[4].pk)) == "endpoint is gone or paused"
    with tenant_context(acme):
        assert Endpoint.objects.get(pk=five[4].pk).last_checked_at is None


def test_the_api_says_who_paused_what(user: TenantBrowser, acme: Client, five: list[Endpoint]) -> None:
    set_plan(acme, "canceled")
    user.patch(f"/api/endpoints/{five[0].pk}/", {"is_paused": True})
    told = {row["name"]: row["paused_by"] for row in user.get("/api/endpoints/").json()["results"]}
    assert told == {"Site 0": "person", "Site 1": "", "Site 2": "", "Site 3": "", "Site 4": "plan"}
    assert user.get("/api/billing/").json()["endpoints_over_limit"] == 1


def test_an_upgrade_brings_all_back_but_what_a_person_paused(
    user: TenantBrowser, acme: Client, five: list[Endpoint]
) -> None:
    answer = user.patch(f"/api/endpoints/{five[4].pk}/", {"is_paused": True})
    assert answer.json()["paused_by"] == "person"
    set_plan(acme, "pro")
    told = {row["name"]: row["paused_by"] for row in user.get("/api/endpoints/").json()["results"]}
    assert told == {"Site 0": "", "Site 1": "", "Site 2": "", "Site 3": "", "Site 4": "person"}


def test_deleting_one_makes_room_for_the_next(user: TenantBrowser, acme: Client, five: list[Endpoint]) -> None:
    user.delete(f"/api/endpoints/{five[1].pk}/")
    assert watched(acme, "free") == {"Site 0", "Site 2", "Site 3"}


def test_pausing_makes_no_room_for_another_endpoint(user: TenantBrowser, acme: Client, five: list[Endpoint]) -> None:
    for endpoint in five:
        user.patch(f"/api/endpoints/{endpoint.pk}/", {"is_paused": True})
    answer = user.post("/api/endpoints/", {"name": "Six", "url": "https://93.184.216.34/"})
    assert answer.status_code == 403


def test_visitors_see_that_it_is_paused_and_not_down(guest: TenantBrowser, acme: Client, five: list[Endpoint]) -> None:
    set_plan(acme, "canceled")
    with tenant_context(acme):
        Endpoint.objects.filter(pk=five[4].pk).update(last_status="error:503")
    told = guest.get("/api/status/").json()
    assert told["status"] == "up"
    assert next(row["state"] for row in told["endpoints"] if row["name"] == "Site 4") == "paused"
    assert "error:503" not in guest.get("/").content.decode()
