"""Purpose: bring the hosts of tenants that were made without a suffix (`.localhost`) or on staging to production's own.

One-time repair of data; where there is nothing to repair it changes nothing, and it may run again at any time. Differs
from the original, which forgot `.staging`, left the public tenant and `main` alone and rewrote a name in its middle.

Going back to 0007 changes nothing, on purpose: the original turned every host of production into `.localhost` again,
and with it locked every tenant out. The repaired hosts are right for the older release too.
"""

from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from tenants.migrations import _domains


def forwards(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Repair, and say what was done."""
    for line in _domains.move_to_suffix(apps, settings.DEFAULT_TENANT_DOMAIN_SUFFIX):
        print(f"  {line}")


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("tenants", "0007_add_loopback_domains")]
    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
