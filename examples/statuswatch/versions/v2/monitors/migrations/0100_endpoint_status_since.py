"""Purpose: since when an endpoint has its status (expand). Numbered high, so that version 1 may go on counting."""

from django.db import migrations, models

from shared import idempotent


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitors", "0010_endpoint_is_paused")]
    operations = [
        idempotent.AddField("endpoint", "status_since", models.DateTimeField(null=True, editable=False)),
    ]
