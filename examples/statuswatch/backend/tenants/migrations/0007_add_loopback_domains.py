"""Purpose: `127.0.0.1` and `statuswatch.local` once more, for databases made between 0003 and a change of the proxy.

The third of the overlapping ones, kept as 0002 and 0003 are: it only adds what is missing, and nothing in production.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from tenants.migrations import _domains


def forwards(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Add the names."""
    _domains.add_development_names(apps, {"127.0.0.1": "public", "statuswatch.local": "public"})


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("tenants", "0006_alter_client_name")]
    operations = [migrations.RunPython(forwards, migrations.RunPython.noop, elidable=True)]
