from datetime import timedelta

import pytest
from celery.exceptions import Retry
from django.db import DatabaseError
from django.utils import timezone
from django_tenants.utils import tenant_context

from monitors import schedule, tasks
from monitors.models import CheckResult, DeadLetter, Endpoint
from monitors.probe import Outcome
from tenants.models import Client

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def is_due(client: Client, endpoint: Endpoint, **seconds_ago: int | None) -> bool:
    """Say whether an endpoint (interval 60 s) is due that was created, checked or enqueued so many seconds ago."""
    ages = {"created_at": seconds_ago.get("created", 3600), "last_checked_at": seconds_ago.get("checked")}
    ages["last_enqueued_at"] = seconds_ago.get("enqueued")
    values = {name: None if age is None else NOW - timedelta(seconds=age) for name, age in ages.items()}
    with tenant_context(client):
        Endpoint.objects.filter(pk=endpoint.pk).update(**values)
        return schedule.due(NOW, "pro").exists()


def test_an_endpoint_is_due_when_its_interval_is_over(acme: Client, endpoint: Endpoint) -> None:
    assert is_due(acme, endpoint, created=61)
    assert is_due(acme, endpoint, checked=61)
    assert not is_due(acme, endpoint, created=5)
    assert not is_due(acme, endpoint, checked=25)


def test_an_endpoint_checked_just_after_the_last_run_is_due_in_this_one(acme: Client, endpoint: Endpoint) -> None:
    assert is_due(acme, endpoint, checked=59, enqueued=60)


def test_an_endpoint_that_waits_for_a_worker_is_not_enqueued_again(acme: Client, endpoint: Endpoint) -> None:
    assert not is_due(acme, endpoint, checked=120, enqueued=60)


def test_an_endpoint_whose_task_was_lost_is_enqueued_after_the_grace(acme: Client, endpoint: Endpoint) -> None:
    assert is_due(acme, endpoint, checked=200, enqueued=91)


def test_a_first_check_that_was_lost_does_not_wait_for_its_interval(acme: Client, endpoint: Endpoint) -> None:
    with tenant_context(acme):
        Endpoint.objects.filter(pk=endpoint.pk).update(interval_minutes=1440)
    assert not is_due(acme, endpoint, created=389, enqueued=389)  # the queue may still give it out again
    assert is_due(acme, endpoint, created=391, enqueued=391)
    assert not is_due(acme, endpoint, created=391, enqueued=391, checked=380)
    assert is_due(acme, endpoint, created=3600, enqueued=391, checked=1000)


def test_an_endpoint_is_enqueued_once(acme: Client, endpoint: Endpoint, enqueued: list[tuple[str, str]]) -> None:
    with tenant_context(acme):
        later = NOW + timedelta(hours=1)
        assert [schedule.enqueue_due(later, "pro"), schedule.enqueue_due(later, "pro")] == [1, 0]
    assert enqueued == [("acme", str(endpoint.pk))]


@pytest.mark.django_db(transaction=False)
def test_rows_that_another_scheduler_holds_are_left_to_it(acme: Client, endpoint: Endpoint) -> None:
    with tenant_context(acme):
        assert "SKIP LOCKED" in str(schedule.due(NOW, "pro").select_for_update(skip_locked=True).query)


def test_one_failing_tenant_does_not_stop_the_others(
    acme: Client, endpoint: Endpoint, enqueued: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_for_beta(now: object, plan: str) -> int:
        from django.db import connection

        if connection.schema_name == "beta":
            raise DatabaseError("no such table")
        return 1

    monkeypatch.setattr(schedule, "enqueue_due", fail_for_beta)
    summary = {"tenants": 2, "enqueued": 1, "alerts": 0, "pruned": 0, "failed": 1}
    assert tasks.schedule_endpoint_checks() == summary


def test_old_results_are_pruned(acme: Client, endpoint: Endpoint) -> None:
    with tenant_context(acme):
        for days in (1, 31):
            endpoint.results.create(status="200", checked_at=NOW - timedelta(days=days))
        assert schedule.prune(NOW) == 1


def ping(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, schema_name: str = "acme") -> str:
    monkeypatch.setattr(tasks, "probe", lambda *_: outcome)
    return tasks.ping_endpoint(schema_name, str(endpoint.pk))


def test_a_ping_stores_status_latency_and_history(
    acme: Client, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ping(endpoint, monkeypatch, Outcome("200", 12)) == "200"
    with tenant_context(acme):
        endpoint.refresh_from_db()
        assert (endpoint.last_status, endpoint.last_latency_ms, endpoint.is_up) == ("200", 12, True)
        assert list(CheckResult.objects.values_list("status", "latency_ms")) == [("200", 12)]


def test_a_network_error_is_tried_again_and_keeps_waiting_meanwhile(
    acme: Client, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = False

    def retry(countdown: int) -> Retry:
        return Retry(when=countdown)

    monkeypatch.setattr(tasks.ping_endpoint, "retry", retry)
    with pytest.raises(Retry):
        ping(endpoint, monkeypatch, Outcome("network-error"))
    with tenant_context(acme):
        endpoint.refresh_from_db()
        assert endpoint.last_enqueued_at is not None
        assert endpoint.last_checked_at is None  # a hiccup is no result
        assert not schedule.due(timezone.now(), "pro").exists()


def test_an_endpoint_that_is_failing_already_gets_no_second_try(
    acme: Client, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    """Each try of a dead server takes a worker's whole time limit; its next check is a second try."""
    settings.CELERY_TASK_ALWAYS_EAGER = False
    with tenant_context(acme):
        endpoint.record(Outcome("error:503"), NOW)
    assert ping(endpoint, monkeypatch, Outcome("network-error")) == "network-error"
    with tenant_context(acme):
        endpoint.refresh_from_db()
        assert (endpoint.last_status, endpoint.consecutive_failures) == ("network-error", 2)


def test_every_retry_ends_within_the_grace(settings: object) -> None:
    # trap 18: each retry counts as enqueued anew, so the longest wait for one is what the grace must cover
    longest = max(tasks.RETRY_PAUSES_SECONDS) + settings.CHECK_TIMEOUT_SECONDS
    assert longest < settings.PENDING_REQUEUE_GRACE_SECONDS


def test_retries_end_in_the_dead_letters(
    acme: Client, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = False
    tasks.ping_endpoint.push_request(retries=3)
    try:
        for _ in range(2):
            assert ping(endpoint, monkeypatch, Outcome("network-error")) == "network-error"
    finally:
        tasks.ping_endpoint.pop_request()
    with tenant_context(acme):
        letter = DeadLetter.objects.get()
        assert (letter.task, letter.subject, letter.count) == ("ping_endpoint", endpoint.url, 2)


def test_a_task_for_what_is_gone_ends_quietly(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ping(endpoint, monkeypatch, Outcome("200"), "no_such_tenant") == "tenant is gone"
    assert ping(endpoint, monkeypatch, Outcome("200"), "beta") == "endpoint is gone or paused"
