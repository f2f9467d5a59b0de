"""Purpose: find the organization that a Stripe event speaks of, and its invoices.

Both defaults of this table lie in the database as well: a release from before 0004 goes on adding organizations.
"""

from django.db import migrations, models

from shared import idempotent


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("tenants", "0004_client_subscription_status")]
    operations = [
        idempotent.AddField(
            "client",
            "stripe_customer_id",
            models.CharField(max_length=255, blank=True, default="", db_default=""),
        ),
        idempotent.AddIndex(
            "client",
            models.Index(
                fields=["stripe_customer_id"],
                name="client_stripe_customer",
                condition=~models.Q(stripe_customer_id=""),
            ),
        ),
    ]
