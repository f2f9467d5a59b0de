"""From Stripe's subscriptions to the plan of an organization.

Nothing is concluded from the content of an event: events come twice, late and out of order. Each is a reason to ask
Stripe how things stand, with the organization's account locked; so the last writer has the newest answer.
"""

import logging
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from billing import gateway
from billing.models import Account
from tenants.models import Client
from tenants.plans import Plan

logger = logging.getLogger(__name__)

# A payment that failed is tried again by Stripe for days, and a customer who is told of it mostly pays: `past_due`
# keeps Pro. `unpaid` is Stripe's word for having given up. `incomplete` has not been paid yet.
PAYING = frozenset({"trialing", "active", "past_due"})
NEVER_PAID = frozenset({"incomplete", "incomplete_expired"})


def account_of(client: Client) -> Account:
    """Return the account of an organization, locked until the transaction ends.

    The organization itself is not locked: adding an endpoint does not wait for Stripe. It is read after the lock.
    """
    Account.objects.get_or_create(client=client)
    return Account.objects.select_for_update().get(client_id=client.pk)


def current_or_none(found: Sequence[gateway.Subscription]) -> gateway.Subscription | None:
    """Return the subscription that counts: one that is paid for before any other, then the newest.

    Any price counts: who subscribed to an earlier one keeps Pro.
    """
    return max(found, key=lambda item: (item.status in PAYING, item.created_at), default=None)


def plan_of(found: Sequence[gateway.Subscription]) -> Plan:
    """Return what the subscriptions give."""
    if any(item.status in PAYING for item in found):
        return Plan.PRO
    return Plan.CANCELED if any(item.status not in NEVER_PAID for item in found) else Plan.FREE


@transaction.atomic
def synchronize(client: Client) -> Account:
    """Bring plan and account to what Stripe says, and return the account.

    An organization that never subscribed keeps the plan that an operator gave it.
    """
    account = account_of(client)
    client = account.client
    if not client.stripe_customer_id:
        return account
    try:
        found = gateway.subscriptions(client.stripe_customer_id)
    except gateway.CustomerGone:
        found = []
        _forget_customer(client)
    paying = [item.id for item in found if item.status in PAYING]
    if len(paying) > 1:
        logger.error("organization %s pays for %s subscriptions: %s", client.schema_name, len(paying), paying)
    if found or account.subscription_id:
        _store(account, current_or_none(found), plan_of(found) if found else Plan.CANCELED)
    return account


@transaction.atomic
def customer_of(client: Client, email: str) -> str:
    """Return the organization's customer at Stripe, made when it first wants to pay."""
    account = account_of(client)
    client = account.client
    if not client.stripe_customer_id:
        client.stripe_customer_id = gateway.create_customer(client.name, email, client.schema_name)
        Client.objects.filter(pk=client.pk).update(stripe_customer_id=client.stripe_customer_id)
    return client.stripe_customer_id


def _store(account: Account, current: gateway.Subscription | None, plan: Plan) -> None:
    before, client = account.client.subscription_status, account.client
    account.subscription_id = current.id if current else ""
    account.status = current.status if current else "canceled"
    account.current_period_end = current.current_period_end if current else None
    account.cancel_at_period_end = bool(current and current.cancel_at_period_end)
    account.synchronized_at = timezone.now()
    account.save()
    client.subscription_status = plan
    client.on_trial = account.status == "trialing"
    client.paid_until = account.current_period_end.date() if plan == Plan.PRO and account.current_period_end else None
    Client.objects.filter(pk=client.pk).update(
        subscription_status=plan, on_trial=client.on_trial, paid_until=client.paid_until
    )
    if before != plan:
        logger.info("organization %s: plan %s -> %s (%s)", client.schema_name, before, plan, account.status)


def _forget_customer(client: Client) -> None:
    logger.warning("organization %s: Stripe does not know its customer any more", client.schema_name)
    client.stripe_customer_id = ""
    Client.objects.filter(pk=client.pk).update(stripe_customer_id="")
