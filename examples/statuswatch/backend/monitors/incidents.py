"""From single checks to incidents: two failures in a row open one, the first good check ends it; each tells people."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from monitors.models import Alert, AlertChannel, Endpoint, Incident, MaintenanceWindow
from monitors.probe import Outcome

FAILURES_IN_A_ROW = 2


@transaction.atomic
def store(endpoint: Endpoint, outcome: Outcome, now: datetime) -> list[Alert]:
    """Store a check, follow what it means, and return the alerts to send.

    The row is locked: two checks of one endpoint at a time must not both miss that they are the second failure.
    """
    current = Endpoint.objects.select_for_update().filter(pk=endpoint.pk).first()
    if current is None:
        return []
    is_expected = MaintenanceWindow.at(now).filter(Q(endpoint=None) | Q(endpoint=current)).exists()
    current.record(outcome, now, in_maintenance=is_expected)
    opened = current.incidents.filter(resolved_at=None).first()
    if outcome.is_up and opened is not None:
        return _resolve(opened, now)
    if opened is None and current.consecutive_failures >= FAILURES_IN_A_ROW:
        return _open(current, outcome, now)
    return []


def _open(endpoint: Endpoint, outcome: Outcome, now: datetime) -> list[Alert]:
    failures = endpoint.results.filter(in_maintenance=False)[:FAILURES_IN_A_ROW]
    incident = Incident.objects.create(
        endpoint=endpoint, cause=outcome.status, started_at=min(result.checked_at for result in failures)
    )
    return _write_alerts(incident, Alert.Event.DOWN, now)


def _resolve(incident: Incident, now: datetime) -> list[Alert]:
    incident.resolved_at = now
    incident.save(update_fields=["resolved_at"])
    return _write_alerts(incident, Alert.Event.RECOVERED, now)


def _write_alerts(incident: Incident, event: Alert.Event, now: datetime) -> list[Alert]:
    return [
        Alert.objects.create(channel=channel, incident=incident, event=event, created_at=now, next_attempt_at=now)
        for channel in AlertChannel.objects.filter(is_enabled=True)
    ]
