"""Purpose: two failures in a row are an incident, people are told of it, and work that was given up is kept."""

from django.db import migrations, models
from django.db.models.deletion import CASCADE

from shared import idempotent

ID = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitors", "0006_endpoint_conditions")]
    operations = [
        idempotent.AddField(
            "endpoint", "consecutive_failures", models.PositiveIntegerField(default=0, db_default=0, editable=False)
        ),
        idempotent.CreateModel(
            "Incident",
            [
                ("id", ID.clone()),
                ("cause", models.CharField(max_length=64)),
                ("started_at", models.DateTimeField()),
                ("resolved_at", models.DateTimeField(null=True)),
                ("endpoint", models.ForeignKey("monitors.endpoint", CASCADE, related_name="incidents")),
            ],
            options={
                "ordering": ["-started_at"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=["endpoint"], condition=models.Q(resolved_at=None), name="incident_one_open"
                    )
                ],
            },
        ),
        idempotent.CreateModel(
            "AlertChannel",
            [
                ("id", ID.clone()),
                (
                    "kind",
                    models.CharField(max_length=16, choices=[("email", "E-mail"), ("webhook", "Webhook")]),
                ),
                ("target", models.CharField(max_length=500)),
                ("secret", models.CharField(max_length=100, blank=True, default="", db_default="")),
                ("is_enabled", models.BooleanField(default=True, db_default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["pk"],
                "constraints": [models.UniqueConstraint(fields=["kind", "target"], name="channel_once")],
            },
        ),
        idempotent.CreateModel(
            "Alert",
            [
                ("id", ID.clone()),
                (
                    "event",
                    models.CharField(
                        max_length=16, choices=[("down", "Down"), ("recovered", "Recovered"), ("test", "Test")]
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        max_length=16,
                        choices=[("pending", "Pending"), ("sent", "Sent"), ("failed", "Failed")],
                        default="pending",
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("last_error", models.CharField(max_length=200, blank=True, default="")),
                ("created_at", models.DateTimeField()),
                ("next_attempt_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(null=True)),
                ("channel", models.ForeignKey("monitors.alertchannel", CASCADE, related_name="alerts")),
                ("incident", models.ForeignKey("monitors.incident", CASCADE, null=True, related_name="alerts")),
            ],
            options={
                "ordering": ["-created_at"],
                "constraints": [models.UniqueConstraint(fields=["channel", "incident", "event"], name="alert_once")],
                "indexes": [
                    models.Index(fields=["next_attempt_at"], name="alert_pending", condition=models.Q(state="pending"))
                ],
            },
        ),
        idempotent.CreateModel(
            "DeadLetter",
            [
                ("id", ID.clone()),
                ("task", models.CharField(max_length=64)),
                ("subject", models.CharField(max_length=500)),
                ("reason", models.CharField(max_length=200)),
                ("count", models.PositiveIntegerField(default=1)),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-last_at"],
                "constraints": [models.UniqueConstraint(fields=["task", "subject"], name="dead_letter_once")],
            },
        ),
    ]
