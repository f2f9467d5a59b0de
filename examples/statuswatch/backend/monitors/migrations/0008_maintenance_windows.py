"""Purpose: failures in a planned time are checked and shown, but open no incident and do not count as downtime."""

from django.db import migrations, models
from django.db.models.deletion import CASCADE

from shared import idempotent


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitors", "0007_incidents_and_alerts")]
    operations = [
        idempotent.AddField("checkresult", "in_maintenance", models.BooleanField(default=False, db_default=False)),
        idempotent.CreateModel(
            "MaintenanceWindow",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120)),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                (
                    "endpoint",
                    models.ForeignKey("monitors.endpoint", CASCADE, null=True, blank=True, related_name="windows"),
                ),
            ],
            options={
                "ordering": ["-starts_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(ends_at__gt=models.F("starts_at")), name="window_ends_later"
                    )
                ],
            },
        ),
    ]
