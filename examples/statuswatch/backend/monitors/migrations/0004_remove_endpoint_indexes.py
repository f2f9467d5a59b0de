"""Purpose: take the three indexes of 0003 back. Each check writes two of their columns, and none was ever read."""

from django.db import migrations

from shared import idempotent


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitors", "0003_add_performance_indexes")]
    operations = [
        idempotent.RemoveIndex("endpoint", "endpoint_last_checked"),
        idempotent.RemoveIndex("endpoint", "endpoint_last_enqueued"),
        idempotent.RemoveIndex("endpoint", "endpoint_created"),
    ]
