"""Purpose: names of the development proxy, `statuswatch.local` and `acme.statuswatch.local`, and those of 0002 again.

Kept for the same reasons as 0002; it too only adds what is missing, and nothing in production.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from tenants.migrations import _domains

HOSTS = {
    "localhost": "public",
    "127.0.0.1": "public",
    "statuswatch.local": "public",
    "acme.statuswatch.local": "acme",
}


def forwards(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Add the names."""
    _domains.add_development_names(apps, HOSTS)


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("tenants", "0002_add_localhost_domain")]
    operations = [migrations.RunPython(forwards, migrations.RunPython.noop, elidable=True)]
