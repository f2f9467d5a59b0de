"""What an organization pays for, and what it gets."""

from django.db import models


class Plan(models.TextChoices):
    """The value of `Client.subscription_status`."""

    FREE = "free", "Free"
    PRO = "pro", "Pro"
    CANCELED = "canceled", "Canceled"  # was Pro; has what Free has


FREE_ENDPOINTS = 3


def endpoint_limit_or_none(plan: str) -> int | None:
    """Return how many endpoints a plan has, or None when there is no limit."""
    return None if plan == Plan.PRO else FREE_ENDPOINTS
