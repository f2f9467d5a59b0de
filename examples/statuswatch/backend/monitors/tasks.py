"""Background work: beat asks for the schedule, workers ping."""

import logging

from celery import Task, shared_task
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from django_tenants.utils import tenant_context

from monitors import schedule
from monitors.models import Endpoint
from monitors.probe import Outcome, probe
from tenants.models import Client

logger = logging.getLogger(__name__)

# A retry counts as enqueued anew, and each pause with its attempt is shorter than PENDING_REQUEUE_GRACE_SECONDS, so
# that an endpoint which is being retried is never enqueued a second time.
RETRY_PAUSES_SECONDS = (5, 10, 20)


@shared_task(name="monitors.schedule_endpoint_checks")
def schedule_endpoint_checks() -> dict[str, int]:
    """Enqueue due endpoints of every tenant; a tenant that fails is reported and does not stop the others."""
    now = timezone.now()
    summary = {"tenants": 0, "enqueued": 0, "pruned": 0, "failed": 0}
    for client in Client.objects.exclude(schema_name="public"):
        summary["tenants"] += 1
        try:
            with tenant_context(client):
                summary["enqueued"] += schedule.enqueue_due(now)
                summary["pruned"] += schedule.prune(now)
        except DatabaseError as exc:
            summary["failed"] += 1
            logger.error("tenant %s skipped: %s", client.schema_name, type(exc).__name__)
    logger.info("Endpoint scheduler run completed %s", summary)
    return summary


@shared_task(bind=True, name="monitors.ping_endpoint", max_retries=len(RETRY_PAUSES_SECONDS))
def ping_endpoint(self: Task, schema_name: str, endpoint_id: str) -> str:
    """Check one endpoint and store status and latency; network errors are tried again."""
    client = Client.objects.filter(schema_name=schema_name).first()
    if client is None:
        return "tenant is gone"
    with tenant_context(client):
        endpoint = Endpoint.objects.filter(pk=endpoint_id).first()
        if endpoint is None:
            return "endpoint is gone"
        outcome = probe(endpoint.url)
        endpoint.record(outcome, timezone.now())
        retry_in = _pause_or_none(outcome, self.request.retries)
        if retry_in is not None:
            Endpoint.objects.filter(pk=endpoint.pk).update(last_enqueued_at=timezone.now())
            raise self.retry(countdown=retry_in)
    if outcome.is_worth_a_retry:
        logger.error("endpoint %s of %s cannot be reached", endpoint_id, schema_name)
    return outcome.status


def _pause_or_none(outcome: Outcome, retries: int) -> int | None:
    if settings.CELERY_TASK_ALWAYS_EAGER or not outcome.is_worth_a_retry or retries >= len(RETRY_PAUSES_SECONDS):
        return None
    return RETRY_PAUSES_SECONDS[retries]
