"""Purpose: two organizations do not differ in upper and lower case only, because people cannot tell them apart.

The name itself has been unique since 0001. Where two differ in case only, this refuses before it changes anything and
says which and what to do: a name is not changed without its owner.
"""

from django.apps.registry import Apps
from django.core.management.base import CommandError
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Count
from django.db.models.functions import Lower

from shared import idempotent


def refuse_twins(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Raise a CommandError that names every pair and the command that ends it."""
    client = apps.get_model("tenants", "Client")
    names = client.objects.annotate(lower=Lower("name")).values("lower").annotate(count=Count("pk")).filter(count__gt=1)
    twins = client.objects.annotate(lower=Lower("name")).filter(lower__in=names.values("lower")).order_by("lower", "pk")
    if found := [f"  {row.schema_name}: {row.name}" for row in twins]:
        raise CommandError(
            "These organizations differ in upper and lower case only:\n"
            + "\n".join(found)
            + "\nRename all but one of each, then migrate again:\n"
            '  python manage.py rename_organization SCHEMA "NEW NAME"'
        )


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("tenants", "0005_client_stripe_customer_id")]
    operations = [
        migrations.RunPython(refuse_twins, migrations.RunPython.noop),
        idempotent.AddConstraint("client", models.UniqueConstraint(Lower("name"), name="client_name_any_case")),
    ]
