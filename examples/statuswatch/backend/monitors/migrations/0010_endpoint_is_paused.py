"""Purpose: an endpoint can be kept without being checked, for instance to make room within a smaller plan."""

from django.db import migrations, models

from shared import idempotent


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitors", "0009_deploy_marks")]
    operations = [
        idempotent.AddField("endpoint", "is_paused", models.BooleanField(default=False, db_default=False)),
    ]
