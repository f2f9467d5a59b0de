"""Purpose: an endpoint that waits for a worker is not enqueued a second time.

In databases from before this file was split off 0001 the column is there already.
"""

from django.db import migrations, models

from shared import idempotent


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitors", "0001_initial")]
    operations = [
        idempotent.AddField("endpoint", "last_enqueued_at", models.DateTimeField(null=True, editable=False)),
    ]
