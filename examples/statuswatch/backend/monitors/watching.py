"""Which endpoints are checked: not those that a person paused, and no more than the plan has room for.

Nothing is deleted or changed when an organization goes from Pro to Free: the oldest endpoints that are not paused are
checked, the others are kept and shown as paused, and go on by themselves when there is room. Who wants others checked
pauses one of the first.
"""

from uuid import UUID

from django.db.models import QuerySet

from monitors.models import Endpoint
from tenants.plans import endpoint_limit_or_none


def watched(plan: str) -> QuerySet[Endpoint]:
    """Return the endpoints of the current schema that are checked."""
    within = within_or_none(plan)
    found = Endpoint.objects.filter(is_paused=False)
    return found if within is None else found.filter(pk__in=within)


def within_or_none(plan: str) -> set[UUID] | None:
    """Return the ids that the plan has room for, or None when it has room for all."""
    limit = endpoint_limit_or_none(plan)
    if limit is None:
        return None
    oldest = Endpoint.objects.filter(is_paused=False).order_by("created_at", "pk")
    return set(oldest.values_list("pk", flat=True)[:limit])


def paused_by(endpoint: Endpoint, within: set[UUID] | None) -> str:
    """Say who paused an endpoint: a `person`, the `plan`, or nobody (empty)."""
    if endpoint.is_paused:
        return "person"
    return "" if within is None or endpoint.pk in within else "plan"
