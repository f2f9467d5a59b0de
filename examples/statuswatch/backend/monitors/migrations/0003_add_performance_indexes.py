"""Purpose: a first try to make the scheduler's question quick, one index for each column it names.

Taken back by 0004; both are kept, because they have been applied and tell what was tried.
"""

from django.db import migrations, models

from shared import idempotent


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitors", "0002_endpoint_last_enqueued_at")]
    operations = [
        idempotent.AddIndex("endpoint", models.Index(fields=["last_checked_at"], name="endpoint_last_checked")),
        idempotent.AddIndex("endpoint", models.Index(fields=["last_enqueued_at"], name="endpoint_last_enqueued")),
        idempotent.AddIndex("endpoint", models.Index(fields=["created_at"], name="endpoint_created")),
    ]
