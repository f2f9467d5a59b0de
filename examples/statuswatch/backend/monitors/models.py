"""What is checked, what came of it, and whom to tell; in the tenant's schema.

Every column that a later release added has its default in the database as well, so that an older one goes on writing.
"""

from datetime import datetime
from uuid import uuid4

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils import timezone

from monitors.conditions import Conditions
from monitors.probe import Outcome
from monitors.release_fields import ReleaseFields

PENDING = "pending"


class Endpoint(ReleaseFields, models.Model):
    """A URL that is checked every `interval_minutes`."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=120)
    url = models.URLField(max_length=500, unique=True)
    interval_minutes = models.PositiveIntegerField(
        default=5, validators=[MinValueValidator(1), MaxValueValidator(1440)]
    )
    expected_status = models.CharField(max_length=120, blank=True, default="", db_default="")
    body_contains = models.CharField(max_length=200, blank=True, default="", db_default="")
    max_latency_ms = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    min_certificate_days = models.PositiveIntegerField(null=True, blank=True, validators=[MaxValueValidator(365)])
    is_paused = models.BooleanField(default=False, db_default=False)  # by a person; the plan's limit is not stored
    last_status = models.CharField(max_length=64, default=PENDING, editable=False)
    last_checked_at = models.DateTimeField(null=True, editable=False)
    last_latency_ms = models.PositiveIntegerField(null=True, editable=False)
    last_enqueued_at = models.DateTimeField(null=True, editable=False)
    certificate_expires_at = models.DateTimeField(null=True, editable=False)
    consecutive_failures = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["url"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_up(self) -> bool:
        """Whether the last check got an answer as it should be."""
        return self.last_status.isdecimal()

    @property
    def conditions(self) -> Conditions:
        """What an answer must be."""
        return Conditions(self.expected_status, self.body_contains, self.max_latency_ms, self.min_certificate_days)

    @transaction.atomic(savepoint=False)
    def record(self, outcome: Outcome, now: datetime, *, in_maintenance: bool = False) -> None:
        """Store one check here and in the history. Failures in maintenance do not count towards an incident."""
        changed = self.note_status(outcome.status, now)
        self.last_status, self.last_latency_ms, self.last_checked_at = outcome.status, outcome.latency_ms, now
        self.certificate_expires_at = outcome.certificate_expires_at
        self.consecutive_failures = 0 if outcome.is_up or in_maintenance else self.consecutive_failures + 1
        self.save(
            update_fields=[
                "last_status",
                "last_latency_ms",
                "last_checked_at",
                "certificate_expires_at",
                "consecutive_failures",
                "updated_at",
                *changed,
            ]
        )
        self.results.create(
            status=outcome.status, latency_ms=outcome.latency_ms, checked_at=now, in_maintenance=in_maintenance
        )


class CheckResult(models.Model):
    """One check."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="results")
    status = models.CharField(max_length=64)
    latency_ms = models.PositiveIntegerField(null=True)
    checked_at = models.DateTimeField()
    in_maintenance = models.BooleanField(default=False, db_default=False)

    class Meta:
        ordering = ["-checked_at"]
        indexes = [
            models.Index(fields=["endpoint", "-checked_at"], name="result_endpoint_checked"),
            models.Index(fields=["checked_at"], name="result_checked"),
        ]

    @property
    def is_up(self) -> bool:
        """Whether this check got an answer as it should be."""
        return self.status.isdecimal()


class MaintenanceWindow(models.Model):
    """A time in which failures of an endpoint, or of all, are expected: checked and shown, but nobody is told."""

    name = models.CharField(max_length=120)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, null=True, blank=True, related_name="windows")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            models.CheckConstraint(condition=models.Q(ends_at__gt=models.F("starts_at")), name="window_ends_later")
        ]

    @classmethod
    def at(cls, now: datetime) -> models.QuerySet["MaintenanceWindow"]:
        """Return the windows of a moment."""
        return cls.objects.filter(starts_at__lte=now, ends_at__gt=now)


class Incident(models.Model):
    """An endpoint is down, from the first of the failures that made it so to the first good check."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="incidents")
    cause = models.CharField(max_length=64)  # the status of the check that opened it
    started_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(fields=["endpoint"], condition=models.Q(resolved_at=None), name="incident_one_open")
        ]


class AlertChannel(models.Model):
    """Where alerts go."""

    class Kind(models.TextChoices):
        """How they get there."""

        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    target = models.CharField(max_length=500)  # an address or a URL
    secret = models.CharField(max_length=100, blank=True, default="", db_default="")  # signs a webhook's body
    is_enabled = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["kind", "target"], name="channel_once")]


class Alert(models.Model):
    """One message to one channel, stored with the incident and sent afterwards; so none is lost with the broker."""

    class Event(models.TextChoices):
        """What it says."""

        DOWN = "down", "Down"
        RECOVERED = "recovered", "Recovered"
        TEST = "test", "Test"

    class State(models.TextChoices):
        """What became of it; pending ones are sent again, sent and failed are final."""

        PENDING = "pending", "Pending"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE, related_name="alerts")
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, null=True, related_name="alerts")
    event = models.CharField(max_length=16, choices=Event.choices)
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "incident", "event"], name="alert_once"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="alert_pending", condition=models.Q(state="pending")),
        ]


class DeployMark(models.Model):
    """Somebody deployed something; shown beside the latency."""

    name = models.CharField(max_length=120)
    version = models.CharField(max_length=120, blank=True, default="")
    marked_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-marked_at"]


class DeadLetter(models.Model):
    """Work that was given up: which, why, how often."""

    task = models.CharField(max_length=64)
    subject = models.CharField(max_length=500)
    reason = models.CharField(max_length=200)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        ordering = ["-last_at"]
        constraints = [models.UniqueConstraint(fields=["task", "subject"], name="dead_letter_once")]

    @classmethod
    def put(cls, task: str, subject: str, reason: str, now: datetime) -> None:
        """Note that work was given up; the same work again is counted."""
        letter, is_new = cls.objects.get_or_create(
            task=task, subject=subject, defaults={"reason": reason, "first_at": now, "last_at": now}
        )
        if not is_new:
            cls.objects.filter(pk=letter.pk).update(count=models.F("count") + 1, reason=reason, last_at=now)
