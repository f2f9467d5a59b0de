"""Purpose: two organizations do not differ in upper and lower case only, because people cannot tell them apart.

The name itself has been unique since 0001.
"""

from django.db import migrations, models
from django.db.models.functions import Lower

from shared import idempotent


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("tenants", "0005_client_stripe_customer_id")]
    operations = [
        idempotent.AddConstraint("client", models.UniqueConstraint(Lower("name"), name="client_name_any_case")),
    ]
