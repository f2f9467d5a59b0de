"""Requests at the same time, each in a thread with a transaction of its own.

A test's own thread is inside a transaction that nobody else sees, so threads also prepare and clean up.
"""

import threading
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django_tenants.utils import schema_context
from rest_framework.exceptions import PermissionDenied
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts import sessions
from monitors import views
from monitors.models import Endpoint

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
        OutstandingToken.objects.all().delete()
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


def test_of_renewals_of_one_session_one_is_good() -> None:
    def renew(number: int) -> str:
        try:
            sessions.renew(refresh)
        except InvalidToken:
            return "refused"
        return "good"

    (refresh,) = at_the_same_time(1, lambda _: sessions.begin(User.objects.get(username="demo"))["refresh"])
    assert at_the_same_time(4, renew) == ["good", "refused", "refused", "refused"]
