"""Taking in Stripe's events, each once."""

import logging
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction

from billing import gateway, subscriptions
from billing.models import ReceivedEvent
from tenants.models import Client

logger = logging.getLogger(__name__)

RELEVANT = frozenset(
    {
        "checkout.session.completed",
        "customer.deleted",
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "customer.subscription.paused",
        "customer.subscription.resumed",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice.payment_failed",
    }
)
REMEMBERED = timedelta(days=90)  # Stripe itself sends for 3 days, and by hand for 30


class Outcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    IRRELEVANT = "irrelevant"
    UNKNOWN_CUSTOMER = "unknown_customer"


@transaction.atomic
def take_in(event: gateway.Event, now: datetime) -> Outcome:
    """Bring the plan of the event's organization up to date.

    The event is remembered in the same transaction: one that could not be applied, because Stripe did not answer, is
    not remembered and comes again. The same event twice at the same moment waits for the first one.
    """
    row, is_new = ReceivedEvent.objects.get_or_create(
        id=event.id,
        defaults={"type": event.type[:100], "outcome": "", "happened_at": event.happened_at, "received_at": now},
    )
    outcome = _apply(event) if is_new else Outcome.DUPLICATE
    if is_new:
        ReceivedEvent.objects.filter(pk=row.pk).update(outcome=outcome)
        ReceivedEvent.objects.filter(received_at__lt=now - REMEMBERED).delete()
    logger.info("Stripe's event %s %s: %s", event.type, event.id, outcome)
    return outcome


def _apply(event: gateway.Event) -> Outcome:
    if event.type not in RELEVANT:
        return Outcome.IRRELEVANT
    client = Client.objects.filter(stripe_customer_id=event.customer_id).first() if event.customer_id else None
    if client is None:
        return Outcome.UNKNOWN_CUSTOMER
    subscriptions.synchronize(client)
    return Outcome.APPLIED
