"""Purpose: the one index that was promised when 0003 and 0004 were kept, under the promised name.

In SQL, because the name has 34 characters and Django refuses indexes of more than 30. It was promised on tenant and
last check; a tenant is a schema here, so its column would hold one value in every row and is left out.
"""

from django.db import migrations

NAME = "monitors_endpoint_tenant_check_idx"


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitors", "0004_remove_endpoint_indexes")]
    operations = [
        migrations.RunSQL(
            f"CREATE INDEX IF NOT EXISTS {NAME} ON monitors_endpoint (last_checked_at)",
            f"DROP INDEX IF EXISTS {NAME}",
        ),
    ]
