"""Sending alerts. A row says what is to be sent, so a lost task or a broker that is away only makes it later."""

import hashlib
import hmac
import json
import smtplib
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import QuerySet

from monitors import outbound, target
from monitors.models import Alert, AlertChannel, DeadLetter
from shared.redaction import redact

PAUSES_SECONDS = (30, 120, 600, 1800)
SIGNATURE_HEADER = "X-StatusWatch-Signature"


class NotDelivered(Exception):
    """The alert did not arrive; the message says why."""


def pending(now: datetime) -> QuerySet[Alert]:
    """Return alerts whose next attempt is due."""
    return Alert.objects.filter(state=Alert.State.PENDING, next_attempt_at__lte=now)


@transaction.atomic
def deliver(alert_id: int, now: datetime) -> str:
    """Try once; nothing happens to an alert that is done, not yet due, or in another worker's hands."""
    alert = pending(now).select_for_update(skip_locked=True, of=("self",)).filter(pk=alert_id).first()
    if alert is None:
        return "nothing to do"
    alert.attempts += 1
    try:
        _send(alert)
    except NotDelivered as exc:
        _note_failure(alert, redact(str(exc))[:200], now)
    else:
        alert.state, alert.sent_at, alert.last_error = Alert.State.SENT, now, ""
    alert.save(update_fields=["attempts", "state", "sent_at", "last_error", "next_attempt_at"])
    return alert.state


def describe(alert: Alert) -> dict[str, object]:
    """Return what a webhook gets."""
    tenant = connection.tenant
    incident = alert.incident
    body: dict[str, object] = {"event": alert.event, "organization": tenant.name, "alert": alert.pk}
    if incident is not None:
        body |= {
            "endpoint": {"id": str(incident.endpoint_id), "name": incident.endpoint.name, "url": incident.endpoint.url},
            "incident": incident.pk,
            "cause": incident.cause,
            "started_at": incident.started_at.isoformat(),
            "resolved_at": incident.resolved_at.isoformat() if incident.resolved_at else None,
        }
    return body


def sign(secret: str, body: bytes) -> str:
    """Return the value of the signature header."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def _note_failure(alert: Alert, reason: str, now: datetime) -> None:
    alert.last_error = reason
    if alert.attempts <= len(PAUSES_SECONDS):
        alert.next_attempt_at = now + timedelta(seconds=PAUSES_SECONDS[alert.attempts - 1])
        return
    alert.state = Alert.State.FAILED
    DeadLetter.put("deliver_alert", f"{alert.channel.kind} {alert.channel.target}", reason, now)


def _send(alert: Alert) -> None:
    if alert.channel.kind == AlertChannel.Kind.EMAIL:
        _send_mail(alert)
    else:
        _call_webhook(alert)


def _send_mail(alert: Alert) -> None:
    subject, text = _words(alert)
    try:
        EmailMessage(subject, text, to=[alert.channel.target]).send()
    except (smtplib.SMTPException, OSError) as exc:
        raise NotDelivered(f"mail: {type(exc).__name__}") from exc


def _call_webhook(alert: Alert) -> None:
    body = json.dumps(describe(alert)).encode()
    headers = {"Content-Type": "application/json", "X-StatusWatch-Alert": str(alert.pk)}
    if alert.channel.secret:
        headers[SIGNATURE_HEADER] = sign(alert.channel.secret, body)
    try:
        answer = outbound.ask(
            "POST", alert.channel.target, seconds=settings.CHECK_TIMEOUT_SECONDS, headers=headers, body=body
        )
    except (target.TargetRefused, outbound.NotReached) as exc:
        raise NotDelivered(f"webhook: {exc}") from exc
    if not 200 <= answer.code < 300:
        raise NotDelivered(f"webhook: answered {answer.code}")


def _words(alert: Alert) -> tuple[str, str]:
    """Return subject and text of a mail."""
    name = connection.tenant.name
    incident = alert.incident
    if incident is None:
        return f"[{name}] Test alert", "This is what an alert of StatusWatch looks like. Nothing is down."
    # NOTE: a name may hold a line break, which a mail header refuses
    endpoint = " ".join(incident.endpoint.name.split())
    since = f"{incident.started_at:%Y-%m-%d %H:%M:%S} UTC"
    if alert.event == Alert.Event.DOWN:
        return f"[{name}] {endpoint} is down", f"{incident.endpoint.url}\n{incident.cause} since {since}\n"
    lasted = incident.resolved_at - incident.started_at if incident.resolved_at else timedelta()
    minutes = max(1, round(lasted.total_seconds() / 60))
    return f"[{name}] {endpoint} is up again", f"{incident.endpoint.url}\ndown since {since}, for {minutes} min\n"
