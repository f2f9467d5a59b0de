"""Purpose: an endpoint may ask more of an answer than to be one: status, body, latency, days of its certificate.

All defaults lie in the database as well, so that the release before goes on writing endpoints.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import migrations, models

from shared import idempotent


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitors", "0005_add_optimized_indexes")]
    operations = [
        idempotent.AddField(
            "endpoint", "expected_status", models.CharField(max_length=120, blank=True, default="", db_default="")
        ),
        idempotent.AddField(
            "endpoint", "body_contains", models.CharField(max_length=200, blank=True, default="", db_default="")
        ),
        idempotent.AddField(
            "endpoint",
            "max_latency_ms",
            models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)]),
        ),
        idempotent.AddField(
            "endpoint",
            "min_certificate_days",
            models.PositiveIntegerField(null=True, blank=True, validators=[MaxValueValidator(365)]),
        ),
        idempotent.AddField("endpoint", "certificate_expires_at", models.DateTimeField(null=True, editable=False)),
    ]
