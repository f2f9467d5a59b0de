"""Purpose: addresses that are known to be their user's, and keys for programs."""

from django.conf import settings
from django.db import migrations, models
from django.db.models.deletion import CASCADE

from shared import idempotent

ID = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    """See the module."""

    initial = True
    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        idempotent.CreateModel(
            "Profile",
            [
                ("id", ID.clone()),
                ("email_verified", models.BooleanField(default=False)),
                ("verification_sent_at", models.DateTimeField(null=True)),
                ("user", models.OneToOneField(settings.AUTH_USER_MODEL, CASCADE, related_name="profile")),
            ],
        ),
        idempotent.CreateModel(
            "ApiToken",
            [
                ("id", ID.clone()),
                ("name", models.CharField(max_length=120)),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("last_used_at", models.DateTimeField(null=True)),
                ("user", models.ForeignKey(settings.AUTH_USER_MODEL, CASCADE, related_name="api_tokens")),
            ],
            options={"ordering": ["-created_at"]},
        ),
    ]
