"""Background work: beat asks for the schedule, workers check and tell."""

import logging

from celery import Task, shared_task
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from django_tenants.utils import tenant_context
from kombu.exceptions import OperationalError

from monitors import alerts, incidents, schedule, watching
from monitors.models import Alert, DeadLetter, Endpoint
from monitors.probe import Outcome, probe
from tenants.models import Client

logger = logging.getLogger(__name__)

# A retry counts as enqueued anew, and each pause with its attempt is shorter than PENDING_REQUEUE_GRACE_SECONDS, so
# that an endpoint which is being retried is never enqueued a second time.
RETRY_PAUSES_SECONDS = (5, 10, 20)


@shared_task(name="monitors.schedule_endpoint_checks")
def schedule_endpoint_checks() -> dict[str, int]:
    """Enqueue due endpoints and alerts of every tenant; one tenant that fails does not stop the others."""
    now = timezone.now()
    summary = {"tenants": 0, "enqueued": 0, "alerts": 0, "pruned": 0, "failed": 0}
    for client in Client.objects.exclude(schema_name="public"):
        summary["tenants"] += 1
        try:
            with tenant_context(client):
                summary["enqueued"] += schedule.enqueue_due(now, client.subscription_status)
                summary["alerts"] += send_later(client.schema_name, list(alerts.pending(now)))
                summary["pruned"] += schedule.prune(now)
        except DatabaseError as exc:
            summary["failed"] += 1
            logger.error("tenant %s skipped: %s", client.schema_name, type(exc).__name__)
    logger.info("Endpoint scheduler run completed %s", summary)
    return summary


@shared_task(bind=True, name="monitors.ping_endpoint", max_retries=len(RETRY_PAUSES_SECONDS), ignore_result=True)
def ping_endpoint(self: Task, schema_name: str, endpoint_id: str) -> str:
    """Check one endpoint and store what came of it.

    A first network error is tried again before it counts, for it may be a hiccup. An endpoint that is failing already
    gets no second try: its next check is one, and a few dead servers must not keep all workers waiting.
    """
    client = Client.objects.filter(schema_name=schema_name).first()
    if client is None:
        return "tenant is gone"
    with tenant_context(client):
        endpoint = watching.watched(client.subscription_status).filter(pk=endpoint_id).first()
        if endpoint is None:
            return "endpoint is gone or paused"
        outcome = probe(endpoint.url, endpoint.conditions)
        retry_in = None if endpoint.consecutive_failures else _pause_or_none(outcome, self.request.retries)
        if retry_in is not None:
            Endpoint.objects.filter(pk=endpoint.pk).update(last_enqueued_at=timezone.now())
            raise self.retry(countdown=retry_in)
        now = timezone.now()
        send_later(schema_name, incidents.store(endpoint, outcome, now))
        if outcome.is_worth_a_retry:
            _give_up(schema_name, endpoint)
    return outcome.status


@shared_task(name="monitors.deliver_alert")
def deliver_alert(schema_name: str, alert_id: int) -> str:
    """Send one alert; when it does not arrive the schedule tries again."""
    client = Client.objects.filter(schema_name=schema_name).first()
    if client is None:
        return "tenant is gone"
    with tenant_context(client):
        return alerts.deliver(alert_id, timezone.now())


def send_later(schema_name: str, found: list[Alert]) -> int:
    """Hand alerts to the worker; without a broker the next run of the schedule does it."""
    for count, alert in enumerate(found):
        try:
            deliver_alert.delay(schema_name, alert.pk)
        except OperationalError as exc:
            logger.error("alert %s was not enqueued: %s", alert.pk, type(exc).__name__)
            return count
    return len(found)


def _give_up(schema_name: str, endpoint: Endpoint) -> None:
    DeadLetter.put("ping_endpoint", endpoint.url, "cannot be reached", timezone.now())
    logger.critical("endpoint %s of %s cannot be reached", endpoint.pk, schema_name)


def _pause_or_none(outcome: Outcome, retries: int) -> int | None:
    if settings.CELERY_TASK_ALWAYS_EAGER or not outcome.is_worth_a_retry or retries >= len(RETRY_PAUSES_SECONDS):
        return None
    return RETRY_PAUSES_SECONDS[retries]
