"""Purpose: who has subscribed to what at Stripe, and which of its events were taken in."""

import django.db.models.deletion
from django.db import migrations, models

from shared import idempotent


class Migration(migrations.Migration):
    """See the module."""

    initial = True
    dependencies = [("tenants", "0008_fix_tenant_domains_production")]
    operations = [
        idempotent.CreateModel(
            "Account",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "client",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="billing_account", to="tenants.client"
                    ),
                ),
                ("subscription_id", models.CharField(max_length=255, blank=True, default="", db_default="")),
                ("status", models.CharField(max_length=32, blank=True, default="", db_default="")),
                ("current_period_end", models.DateTimeField(null=True)),
                ("cancel_at_period_end", models.BooleanField(default=False, db_default=False)),
                ("synchronized_at", models.DateTimeField(null=True)),
            ],
        ),
        idempotent.CreateModel(
            "ReceivedEvent",
            [
                ("id", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("type", models.CharField(max_length=100)),
                ("outcome", models.CharField(max_length=32)),
                ("happened_at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
            ],
            options={"indexes": [models.Index(fields=["received_at"], name="event_received")]},
        ),
    ]
