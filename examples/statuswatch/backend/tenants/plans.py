"""What an organization pays for, and what it gets."""

from django.db import connection, models


class Plan(models.TextChoices):
    """The value of `Client.subscription_status`."""

    FREE = "free", "Free"
    PRO = "pro", "Pro"
    CANCELED = "canceled", "Canceled"  # was Pro; has what Free has


FREE_ENDPOINTS = 3
PRO_PRICE = "9 USD a month"  # for people; what is charged says STRIPE_PRO_PRICE_ID


def endpoint_limit_or_none(plan: str) -> int | None:
    """Return how many endpoints a plan has, or None when there is no limit."""
    return None if plan == Plan.PRO else FREE_ENDPOINTS


def plan_here() -> str:
    """Return the plan of the organization whose schema is the current one."""
    from tenants.models import Client

    return Client.objects.values_list("subscription_status", flat=True).get(schema_name=connection.schema_name)
