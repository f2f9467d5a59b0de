"""What is checked, and what came of it; in the tenant's schema."""

from datetime import datetime
from uuid import uuid4

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction

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
    last_status = models.CharField(max_length=64, default=PENDING, editable=False)
    last_checked_at = models.DateTimeField(null=True, editable=False)
    last_latency_ms = models.PositiveIntegerField(null=True, editable=False)
    last_enqueued_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["url"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_up(self) -> bool:
        """Whether the last check got an answer below 400."""
        return self.last_status.isdecimal()

    @transaction.atomic
    def record(self, outcome: Outcome, now: datetime) -> None:
        """Store one check here and in the history."""
        changed = self.note_status(outcome.status, now)
        self.last_status, self.last_latency_ms, self.last_checked_at = (
            outcome.status,
            outcome.latency_ms,
            now,
        )
        self.save(
            update_fields=[
                "last_status",
                "last_latency_ms",
                "last_checked_at",
                "updated_at",
                *changed,
            ]
        )
        self.results.create(status=outcome.status, latency_ms=outcome.latency_ms, checked_at=now)


class CheckResult(models.Model):
    """One check."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="results")
    status = models.CharField(max_length=64)
    latency_ms = models.PositiveIntegerField(null=True)
    checked_at = models.DateTimeField()

    class Meta:
        ordering = ["-checked_at"]
        indexes = [
            models.Index(fields=["endpoint", "-checked_at"], name="result_endpoint_checked"),
            models.Index(fields=["checked_at"], name="result_checked"),
        ]

    @property
    def is_up(self) -> bool:
        """Whether this check got an answer below 400."""
        return self.status.isdecimal()
