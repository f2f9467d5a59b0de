"""What we ask of Stripe, by its own library, and nothing else of the application knows it.

The library is large, so a process loads it when it first needs it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.conf import settings

TIMEOUT_SECONDS = 8
MOST_SUBSCRIPTIONS = 100


class NotConfigured(Exception):
    """The operator has set no keys."""


class Unavailable(Exception):
    """Stripe did not answer, or refused. Its words are for the log only."""


class CustomerGone(Exception):
    """Stripe does not know the customer (any more)."""


class BadEvent(Exception):
    """What came is not from Stripe, too old, or no event."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription of a customer."""

    id: str
    status: str
    created_at: datetime
    current_period_end: datetime | None
    cancel_at_period_end: bool


@dataclass(frozen=True, slots=True)
class Event:
    """A message of Stripe, as far as it is believed: what it says about the subscription is asked for again."""

    id: str
    type: str
    customer_id: str  # empty when it is about none
    happened_at: datetime


def create_customer(name: str, email: str, tenant: str) -> str:
    """Return the id of a new customer."""
    with _answers() as client:
        params = {"name": name, "metadata": {"tenant": tenant}}
        created = client.v1.customers.create(params={**params, **({"email": email} if email else {})})
    return str(created.id)


def open_checkout(customer_id: str, tenant: str, success_url: str, cancel_url: str) -> str:
    """Return the address of Stripe's payment page.

    Pages that were opened before are closed: of two open ones both could be paid, and the organization twice.
    """
    with _answers() as client:
        sessions = client.v1.checkout.sessions
        for session in sessions.list(params={"customer": customer_id, "status": "open"}).data:
            sessions.expire(session.id)
        opened = sessions.create(
            params={
                "mode": "subscription",
                "customer": customer_id,
                "client_reference_id": tenant,
                "line_items": [{"price": settings.STRIPE_PRO_PRICE_ID, "quantity": 1}],
                "subscription_data": {"metadata": {"tenant": tenant}},
                "success_url": success_url,
                "cancel_url": cancel_url,
            }
        )
    return str(opened.url)


def open_portal(customer_id: str, return_url: str) -> str:
    """Return the address of the pages where a customer sees invoices, changes the card and cancels."""
    with _answers() as client:
        opened = client.v1.billing_portal.sessions.create(params={"customer": customer_id, "return_url": return_url})
    return str(opened.url)


def subscriptions(customer_id: str) -> list[Subscription]:
    """Return every subscription a customer has or had."""
    with _answers() as client:
        params = {"customer": customer_id, "status": "all", "limit": MOST_SUBSCRIPTIONS}
        found = client.v1.subscriptions.list(params=params).data
    return [_read_subscription(item.to_dict()) for item in found]


def set_cancellation(subscription_id: str, *, at_period_end: bool) -> None:
    """End a subscription when what was paid is used up, or let it go on after all."""
    with _answers() as client:
        client.v1.subscriptions.update(subscription_id, params={"cancel_at_period_end": at_period_end})


def read_event(payload: bytes, signature: str) -> Event:
    """Return an event whose signature is Stripe's and not older than five minutes; raise BadEvent for any other."""
    if not settings.STRIPE_WEBHOOK_SECRET:
        raise NotConfigured
    import stripe

    try:
        told = stripe.Webhook.construct_event(payload, signature, settings.STRIPE_WEBHOOK_SECRET).to_dict()
        subject = told["data"]["object"]
        customer = subject["id"] if subject.get("object") == "customer" else subject.get("customer")
        customer_id = customer["id"] if isinstance(customer, dict) else customer
        return Event(str(told["id"]), str(told["type"]), str(customer_id or ""), _instant(told["created"]))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, stripe.SignatureVerificationError) as exc:
        raise BadEvent(type(exc).__name__) from exc


@contextmanager
def _answers() -> Iterator[Any]:
    """Give the library's client, and turn its errors into ours."""
    if not (settings.STRIPE_SECRET_KEY and settings.STRIPE_PRO_PRICE_ID):
        raise NotConfigured
    import stripe

    try:
        yield _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE)
    except stripe.InvalidRequestError as exc:
        if exc.http_status == 404 or exc.code == "resource_missing":
            raise CustomerGone from exc
        raise Unavailable(f"{type(exc).__name__}: {exc.user_message or exc}") from exc
    except stripe.StripeError as exc:
        raise Unavailable(f"{type(exc).__name__}: {exc.user_message or exc}") from exc


@cache
def _client(key: str, address: str) -> object:
    import stripe

    stripe.enable_telemetry = False
    return stripe.StripeClient(
        key,
        base_addresses={"api": address} if address else {},
        http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
        max_network_retries=1,
    )


def _read_subscription(told: dict[str, Any]) -> Subscription:
    ends = [item["current_period_end"] for item in told["items"]["data"] if item.get("current_period_end")]
    return Subscription(
        id=told["id"],
        status=told["status"],
        created_at=_instant(told["created"]),
        current_period_end=_instant(max(ends)) if ends else None,
        cancel_at_period_end=bool(told.get("cancel_at_period_end") or told.get("cancel_at")),
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
