"""What an organization pays for."""

from django.db import models


class Plan(models.TextChoices):
    """The value of `Client.subscription_status`."""

    FREE = "free", "Free"
    PRO = "pro", "Pro"
    CANCELED = "canceled", "Canceled"  # was Pro; has what Free has
