"""Purpose: a developer reaches the public page as `localhost` and `127.0.0.1`.

Overlaps with 0003 and 0007, and is kept: it has been applied, it is the audit trail of how hosts came to be, and since
it only adds what is missing it may run any number of times. In production it does nothing (see `_domains`).
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from tenants.migrations import _domains


def forwards(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Add the two names."""
    _domains.add_development_names(apps, {"localhost": "public", "127.0.0.1": "public"})


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("tenants", "0001_initial")]
    operations = [migrations.RunPython(forwards, migrations.RunPython.noop, elidable=True)]
