"""Which endpoints are due, and handing them to the worker."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from kombu.exceptions import OperationalError

from monitors import watching
from monitors.models import Alert, CheckResult, DeadLetter, DeployMark, Endpoint

logger = logging.getLogger(__name__)


def due(now: datetime, plan: str) -> QuerySet[Endpoint]:
    """Return endpoints whose interval is over and which do not wait for a worker.

    One that was enqueued waits until it is answered, but no longer than the grace: then its task is taken for lost.
    What falls due before the middle of the time to the next run is due now; else an endpoint of one minute, checked a
    moment after each run, would be checked every second minute only. One whose task the queue itself would have given
    out again by now is due whatever its interval: a first check that was lost must not wait for a day.
    """
    horizon = now + timedelta(seconds=settings.CHECK_INTERVAL_SECONDS / 2)
    unit = timedelta(seconds=settings.INTERVAL_UNIT_SECONDS)
    grace = timedelta(seconds=settings.PENDING_REQUEUE_GRACE_SECONDS)
    due_at = ExpressionWrapper(
        Coalesce("last_checked_at", "created_at") + F("interval_minutes") * Value(unit),
        output_field=DateTimeField(),
    )
    never_enqueued, given_up = Q(last_enqueued_at=None), Q(last_enqueued_at__lte=now - grace)
    answered = Q(last_checked_at__gte=F("last_enqueued_at"))
    unanswered = Q(last_checked_at=None) | Q(last_checked_at__lt=F("last_enqueued_at"))
    queue = timedelta(seconds=settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"])
    lost = unanswered & Q(last_enqueued_at__lte=now - grace - queue)
    waited = (never_enqueued | given_up | answered) & Q(due_at__lte=horizon)
    return watching.watched(plan).annotate(due_at=due_at).filter(waited | lost)


def enqueue_due(now: datetime, plan: str) -> int:
    """Enqueue what is due in the current schema; rows that another scheduler holds are left to it."""
    with transaction.atomic():
        endpoints = list(due(now, plan).select_for_update(skip_locked=True))
        Endpoint.objects.filter(pk__in=[endpoint.pk for endpoint in endpoints]).update(last_enqueued_at=now)
    return sum(_enqueue(endpoint) for endpoint in endpoints)


def enqueue_now(endpoint: Endpoint, now: datetime) -> None:
    """Enqueue one endpoint once the transaction is over; when the broker is away, the schedule does it later."""
    Endpoint.objects.filter(pk=endpoint.pk).update(last_enqueued_at=now)
    transaction.on_commit(lambda: _enqueue(endpoint))


def prune(now: datetime) -> int:
    """Delete what is older than the retention in the current schema: results, alerts that are done, dead letters."""
    limit = now - timedelta(days=settings.RESULT_RETENTION_DAYS)
    done = Alert.objects.filter(created_at__lt=limit).exclude(state=Alert.State.PENDING)
    old = (CheckResult.objects.filter(checked_at__lt=limit), done, DeadLetter.objects.filter(last_at__lt=limit))
    old += (DeployMark.objects.filter(marked_at__lt=limit),)
    return sum(rows.delete()[0] for rows in old)


def _enqueue(endpoint: Endpoint) -> bool:
    from monitors.tasks import ping_endpoint

    try:
        ping_endpoint.delay(connection.schema_name, str(endpoint.pk))
    except OperationalError as exc:
        logger.error("endpoint %s was not enqueued: %s", endpoint.pk, type(exc).__name__)
        return False
    return True
