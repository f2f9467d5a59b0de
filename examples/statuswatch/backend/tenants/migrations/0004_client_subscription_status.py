"""Purpose: which plan an organization has, and until when it is paid or tried."""

from django.db import migrations, models

from shared import idempotent


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("tenants", "0003_add_dev_domains")]
    operations = [
        idempotent.AddField("client", "paid_until", models.DateField(null=True, blank=True)),
        idempotent.AddField("client", "on_trial", models.BooleanField(default=False, db_default=False)),
        idempotent.AddField(
            "client",
            "subscription_status",
            models.CharField(
                max_length=16,
                choices=[("free", "Free"), ("pro", "Pro"), ("canceled", "Canceled")],
                default="free",
                db_default="free",
            ),
        ),
    ]
