"""Requests at the same time, each in a thread with a transaction of its own.

A test's own thread is inside a transaction that nobody else sees, so threads also prepare and clean up.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from conftest import TenantBrowser
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django_tenants.utils import schema_context
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts import sessions
from accounts.models import ApiToken
from billing import events, gateway, subscriptions
from billing.models import Account, ReceivedEvent
from monitors import views
from monitors.models import Endpoint
from monitors.probe import Outcome
from monitors.serializers import EndpointSerializer
from tenants.models import Client

pytestmark = pytest.mark.django_db


def at_the_same_time(count: int, work: Callable[[int], str]) -> list[str]:
    """Run the work in threads that begin together, inside acme; return what each said, sorted."""
    said: list[str] = []
    together = threading.Barrier(count)

    def run(number: int) -> None:
        together.wait()
        try:
            with schema_context("acme"):
                said.append(work(number))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(said)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Take away what was stored for good."""
    yield

    def remove(number: int) -> str:
        Endpoint.objects.all().delete()
        ApiToken.objects.all().delete()
        OutstandingToken.objects.all().delete()
        ReceivedEvent.objects.all().delete()
        Account.objects.all().delete()
        Client.objects.update(subscription_status="free", stripe_customer_id="")
        return "removed"

    assert at_the_same_time(1, remove) == ["removed"]


def make_endpoint(number: int) -> str:
    return str(Endpoint.objects.create(name=f"Site {number}", url=f"http://192.0.2.{number}/").pk)


def test_two_requests_do_not_share_the_last_place_of_a_plan() -> None:
    def create(number: int) -> str:
        try:
            with transaction.atomic():
                views._check_room()
                connection.cursor().execute("SELECT pg_sleep(0.3)")
                make_endpoint(100 + number)
        except PermissionDenied:
            return "refused"
        return "created"

    at_the_same_time(2, make_endpoint)  # two of three places
    assert at_the_same_time(2, create) == ["created", "refused"]
    assert at_the_same_time(1, lambda _: str(Endpoint.objects.count())) == ["3"]


@pytest.mark.parametrize("plan", ["free", "pro"])
def test_of_two_that_store_one_url_the_second_changes_it(
    plan: str, monkeypatch: pytest.MonkeyPatch, enqueued: list[object]
) -> None:
    """Both have looked and found nothing when the first stores it; on the free plan it takes the last place."""

    def look(view: views.EndpointViewSet, request: Request) -> Endpoint | None:
        found = Endpoint.objects.filter(url=request.data["url"]).first()
        if threading.get_ident() not in looked:
            looked.add(threading.get_ident())
            together.wait(10)
        return found

    def put(number: int) -> str:
        browser = TenantBrowser("acme.testserver")
        browser.headers = {"Authorization": f"Token {key}"}
        body = {"name": f"Shop {number}", "url": "http://93.184.216.34/"}
        return str(browser.put("/api/endpoints/by-url/", body).status_code)

    together, looked = threading.Barrier(2), set[int]()
    at_the_same_time(2, make_endpoint)
    at_the_same_time(1, lambda _: str(Client.objects.filter(schema_name="acme").update(subscription_status=plan)))
    (key,) = at_the_same_time(1, lambda _: ApiToken.issue(User.objects.get(username="demo"), "deploys")[1])
    monkeypatch.setattr(views.EndpointViewSet, "_of_url_or_none", look)
    assert at_the_same_time(2, put) == ["200", "201"]
    assert at_the_same_time(1, lambda _: str(Endpoint.objects.filter(name__startswith="Shop").count())) == ["1"]
    assert len(enqueued) == 1


def test_of_two_that_make_one_url_the_second_is_told_that_it_is_there(
    monkeypatch: pytest.MonkeyPatch, enqueued: list[object]
) -> None:
    def post(number: int) -> str:
        browser = TenantBrowser("acme.testserver")
        browser.headers = {"Authorization": f"Token {key}"}
        answer = browser.post("/api/endpoints/", {"name": f"Shop {number}", "url": "http://93.184.216.34/"})
        return f"{answer.status_code} {' '.join(answer.json()) if answer.status_code == 400 else ''}".strip()

    together = threading.Barrier(2)
    check_room = views._check_room
    (key,) = at_the_same_time(1, lambda _: ApiToken.issue(User.objects.get(username="demo"), "deploys")[1])
    monkeypatch.setattr(views, "_check_room", lambda: (together.wait(10), check_room()))  # both are validated
    assert at_the_same_time(2, post) == ["201", "400 url"]


def test_a_change_by_a_person_takes_nothing_back_of_a_check() -> None:
    """The check ends between the moment the row is read for the change and the moment it is written."""

    def change(number: int) -> str:
        stale = Endpoint.objects.get()
        Endpoint.objects.get().record(Outcome("200", 12), NOW)
        given = EndpointSerializer(stale, data={"name": "Renamed"}, partial=True, context={"within": None})
        given.is_valid(raise_exception=True)
        views.EndpointViewSet().perform_update(given)
        return f"{Endpoint.objects.get().name} {Endpoint.objects.get().last_status}"

    at_the_same_time(1, make_endpoint)
    assert at_the_same_time(1, change) == ["Renamed 200"]


def test_a_transaction_that_failed_leaves_the_organization_chosen() -> None:
    """PostgreSQL forgets the schema that was set in it, and to set it before each query would cost as much as one."""

    def fail_and_ask(number: int) -> str:
        with transaction.atomic():
            Endpoint.objects.count()
            transaction.set_rollback(True)
        with contextlib.suppress(PermissionDenied), transaction.atomic():
            Endpoint.objects.count()
            with contextlib.suppress(DatabaseError), transaction.atomic():
                connection.cursor().execute("SELECT 1 / 0")
            Endpoint.objects.count()
            raise PermissionDenied
        return str(Endpoint.objects.count())

    at_the_same_time(2, make_endpoint)
    assert at_the_same_time(1, fail_and_ask) == ["2"]


def test_renewals_of_one_session_at_the_same_time_are_good() -> None:
    def renew(number: int) -> str:
        try:
            sessions.renew(refresh)
        except InvalidToken:
            return "refused"
        return "good"

    (refresh,) = at_the_same_time(1, lambda _: sessions.begin(User.objects.get(username="demo"))["refresh"])
    assert at_the_same_time(4, renew) == ["good"] * 4
    past = timezone.now() - sessions.GRACE
    at_the_same_time(1, lambda _: str(BlacklistedToken.objects.update(blacklisted_at=past)))
    assert at_the_same_time(4, renew) == ["refused"] * 4


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def subscription(status: str) -> gateway.Subscription:
    return gateway.Subscription("sub_1", status, NOW, None, cancel_at_period_end=False)


def become_a_customer(number: int) -> str:
    """With an account of an earlier day: two that make it would wait for each other by that alone."""
    Client.objects.filter(schema_name="acme").update(stripe_customer_id="cus_1")
    Account.objects.create(client=Client.objects.get(schema_name="acme"))
    return "customer"


def test_one_event_twice_at_the_same_moment_is_applied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    event = gateway.Event("evt_1", "invoice.paid", "cus_1", NOW)
    at_the_same_time(1, become_a_customer)
    monkeypatch.setattr(gateway, "subscriptions", lambda _: time.sleep(0.2) or [subscription("active")])
    said = at_the_same_time(3, lambda _: str(events.take_in(event, NOW)))
    assert said == ["applied", "duplicate", "duplicate"]


def test_an_older_answer_of_stripe_does_not_overwrite_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first to ask is answered `active` and is slow to store it; the second asks later and is told `canceled`."""
    answers = iter([(0.4, "active"), (0.0, "canceled")])

    def ask(_: str) -> list[gateway.Subscription]:
        pause, status = next(answers)
        time.sleep(pause)
        return [subscription(status)]

    def synchronize(number: int) -> str:
        time.sleep(number * 0.1)
        return subscriptions.synchronize(Client.objects.get(schema_name="acme")).status

    at_the_same_time(1, become_a_customer)
    monkeypatch.setattr(gateway, "subscriptions", ask)
    at_the_same_time(2, synchronize)
    plan = at_the_same_time(1, lambda _: Client.objects.get(schema_name="acme").subscription_status)
    assert plan == ["canceled"]
