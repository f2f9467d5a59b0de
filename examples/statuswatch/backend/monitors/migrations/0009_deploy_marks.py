"""Purpose: whoever deploys says so, and the latency of before and after can be told apart."""

from django.db import migrations, models
from django.utils import timezone

from shared import idempotent


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitors", "0008_maintenance_windows")]
    operations = [
        idempotent.CreateModel(
            "DeployMark",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120)),
                ("version", models.CharField(max_length=120, blank=True, default="")),
                ("marked_at", models.DateTimeField(default=timezone.now, db_index=True)),
            ],
            options={"ordering": ["-marked_at"]},
        ),
    ]
