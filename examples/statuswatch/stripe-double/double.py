"""A double of Stripe for StatusWatch: localstripe, which keeps state, and what it lacks of Stripe Billing.

It has customers, subscriptions, invoices, payments and signed events. Added here: checkout and portal (sessions by the
API and the pages that people see), prices as names of plans, `customer.subscription.updated`, deliveries that are tried
again like Stripe's, and the passing of time, which at Stripe is a test clock.

It is a program of its own, under localstripe's licence (GPL 3 or later), and no part of StatusWatch's image.

    python double.py [--port 8420]
"""

import argparse
import asyncio
import hashlib
import hmac
import html
import json
import logging
import os
import time

import aiohttp
from aiohttp import web
from localstripe import resources, server, webhooks
from localstripe.errors import UserError
from localstripe.resources import Customer, Event, PaymentMethod, Plan, StripeObject, Subscription

PUBLIC_URL = os.environ.get("PUBLIC_URL", "http://localhost:8420").rstrip("/")
PAUSES_SECONDS = (0.05, 1, 2, 4, 8, 16)  # before each delivery of an event; Stripe goes on for three days
OPEN_PATHS = ("/pay/", "/portal/", "/healthz")  # for people, without a key
CARDS = {
    "4242424242424242": "pays",
    "4000000000000341": "is accepted, then every payment fails",
    "4000000000000002": "is declined at once",
}
logger = logging.getLogger("stripe-double")


class CheckoutSession(StripeObject):
    """A payment page."""

    object = "checkout.session"
    _id_prefix = "cs_test_"

    def __init__(
        self,
        customer: str = "",
        mode: str = "",
        line_items: list[dict[str, str]] | None = None,
        success_url: str = "",
        cancel_url: str = "",
        client_reference_id: str | None = None,
        subscription_data: dict[str, dict[str, str]] | None = None,
    ) -> None:
        if mode != "subscription" or not success_url or not line_items:
            raise UserError(400, "Bad request")
        Customer._api_retrieve(customer)
        Plan._api_retrieve(line_items[0]["price"])
        super().__init__()
        self.customer, self.mode, self.client_reference_id = customer, mode, client_reference_id
        self.success_url, self.cancel_url = success_url, cancel_url
        self.status, self.payment_status, self.subscription = "open", "unpaid", None
        self.metadata: dict[str, str] = {}
        self.url = f"{PUBLIC_URL}/pay/{self.id}"
        self._price, self._data = line_items[0]["price"], subscription_data or {}

    @classmethod
    def _api_list_all(cls, url: str, customer: str = "", status: str = "", limit: int = 10) -> object:
        found = super()._api_list_all(url, limit=limit)
        found._list = [item for item in found._list if customer in {"", item.customer} and status in {"", item.status}]
        return found

    @classmethod
    def _api_expire(cls, id: str) -> "CheckoutSession":
        session = cls._api_retrieve(id)
        if session.status != "open":
            raise UserError(400, "Only open sessions can be expired.")
        session.status, session.url = "expired", None
        resources.schedule_webhook(Event("checkout.session.expired", session))
        return session

    def _pay(self, card: str) -> None:
        """Attach a card and subscribe; UserError when it is declined."""
        if self.status != "open":
            raise UserError(400, f"This page is {self.status}.")
        _use_card(self.customer, card)
        bought = Subscription(
            customer=self.customer, items=[{"plan": self._price}], metadata=self._data.get("metadata")
        )
        if bought.status != "active":
            StripeObject._api_delete.__func__(Subscription, bought.id)
            raise UserError(402, "Your card was declined.")
        self.subscription = bought.id
        self.status, self.payment_status, self.url = "complete", "paid", None
        resources.schedule_webhook(Event("checkout.session.completed", self))


class PortalSession(StripeObject):
    """The pages of a customer."""

    object = "billing_portal.session"
    _id_prefix = "bps_"

    def __init__(self, customer: str = "", return_url: str = "") -> None:
        Customer._api_retrieve(customer)
        super().__init__()
        self.customer, self.return_url = customer, return_url
        self.url = f"{PUBLIC_URL}/portal/{self.id}"


def change(subscription: Subscription, **fields: object) -> None:
    """Change a subscription and tell it, which localstripe does not."""
    Subscription._update(subscription, **fields)
    resources.schedule_webhook(Event("customer.subscription.updated", subscription))


def end_period(subscription: Subscription) -> None:
    """Let the paid time be over: charge for the next one, or end it when that was asked for."""
    if subscription.cancel_at_period_end:
        Subscription._api_delete(subscription.id)
        return
    subscription.start_date = subscription.current_period_end
    if subscription.status == "past_due":  # tried often enough
        Subscription._api_delete(subscription.id)
        return
    subscription._create_invoice()
    if subscription.status == "past_due":
        invoice = resources.Invoice._api_retrieve(subscription.latest_invoice)
        resources.schedule_webhook(Event("invoice.payment_failed", invoice))
    resources.schedule_webhook(Event("customer.subscription.updated", subscription))


def pay_open_invoice(subscription: Subscription) -> None:
    """Try the last invoice again, as Stripe does by itself after a while or when the card was changed."""
    if subscription.status == "past_due":
        resources.Invoice._api_pay_invoice(subscription.latest_invoice)
        resources.schedule_webhook(Event("customer.subscription.updated", subscription))


ACTIONS = {
    "cancel": lambda subscription: change(subscription, cancel_at_period_end=True),
    "resume": lambda subscription: change(subscription, cancel_at_period_end=False),
    "cancel-now": lambda subscription: Subscription._api_delete(subscription.id),
    "end-period": end_period,
    "pay": pay_open_invoice,
}


async def show_checkout(request: web.Request) -> web.Response:
    """The payment page."""
    session = CheckoutSession._api_retrieve(request.match_info["id"])
    return _page("Payment", _checkout_form(session, ""))


async def pay(request: web.Request) -> web.Response:
    """What its button does."""
    session = CheckoutSession._api_retrieve(request.match_info["id"])
    card = str((await request.post()).get("card", ""))
    try:
        session._pay(card)
    except UserError as exc:
        return _page("Payment", _checkout_form(session, exc.body["error"].get("message", "Declined.")), status=402)
    raise web.HTTPSeeOther(session.success_url)


async def show_portal(request: web.Request) -> web.Response:
    """The customer's page."""
    return _page("Your subscription", _portal_form(PortalSession._api_retrieve(request.match_info["id"])))


async def act(request: web.Request) -> web.Response:
    """What its buttons do."""
    session = PortalSession._api_retrieve(request.match_info["id"])
    given = await request.post()
    if card := str(given.get("card", "")):
        _use_card(session.customer, card)
    for subscription in _subscriptions(session.customer):
        if action := ACTIONS.get(str(given.get("action", ""))):
            action(subscription)
    raise web.HTTPSeeOther(f"/portal/{session.id}")


async def act_on_subscription(request: web.Request) -> web.Response:
    """The same for tests: POST /_config/subscriptions/ID/ACTION."""
    ACTIONS[request.match_info["action"]](Subscription._api_retrieve(request.match_info["id"]))
    return web.json_response({})


async def set_card(request: web.Request) -> web.Response:
    """The same for tests: POST /_config/customers/ID/card."""
    _use_card(request.match_info["id"], str((await request.post())["card"]))
    return web.json_response({})


async def count_deliveries(_: web.Request) -> web.Response:
    """How many events are on their way; a test waits for none."""
    return web.json_response({"pending": len(_deliveries)})


async def alive(_: web.Request) -> web.Response:
    """For the container's check."""
    return web.Response(text="ok")


def deliver_later(event: Event) -> None:
    """Send an event to every registered address until it is taken."""
    payload = json.dumps({**event._export(), "object": "event"}).encode()
    for hook in list(webhooks._webhooks.values()):
        if hook.events is None or event.type in hook.events:
            task = asyncio.ensure_future(_deliver(hook, event.type, payload))
            _deliveries.add(task)
            task.add_done_callback(_deliveries.discard)


_deliveries: set[asyncio.Future[None]] = set()


async def _deliver(hook: webhooks.Webhook, kind: str, payload: bytes) -> None:
    for pause in PAUSES_SECONDS:
        await asyncio.sleep(pause)
        headers = {
            "Content-Type": "application/json",
            "Stripe-Signature": sign(payload, hook.secret, int(time.time())),
            "X-Forwarded-Proto": "https",  # as a proxy in front of the application would say
        }
        try:
            async with (
                aiohttp.ClientSession() as client,
                # An edge on a laptop has an authority of its own; that an event is genuine its signature shows.
                client.post(hook.url, data=payload, headers=headers, ssl=False) as answer,
            ):
                logger.info("%s -> %s", kind, answer.status)
                if answer.status < 300:
                    return
        except (aiohttp.ClientError, TimeoutError) as exc:
            logger.info("%s -> %s", kind, type(exc).__name__)


def sign(payload: bytes, secret: str, now: int) -> str:
    """Return the header that proves who sent a payload, and when."""
    digest = hmac.new(secret.encode(), b"%d.%s" % (now, payload), hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"


@web.middleware
async def authenticate(request: web.Request, handler: object) -> web.Response:
    """Ask for a key, except on pages for people."""
    if request.path.startswith(OPEN_PATHS):
        return await handler(request)
    return await server.auth_middleware(request, handler)


def make_app() -> web.Application:
    """Return localstripe's application with what is added here."""
    app = server.app
    app.middlewares[app.middlewares.index(server.auth_middleware)] = authenticate
    resources.schedule_webhook = deliver_later
    resources.Store.dump_to_disk = lambda self: None  # it remembers as long as it runs
    resources.SubscriptionItem.current_period_end = property(lambda self: self._current_period()["end"])
    Subscription._api_update = classmethod(_update_subscription)
    checkout, portal = "/v1/checkout/sessions", "/v1/billing_portal/sessions"
    add = app.router.add_route
    add("POST", checkout, server.api_create(CheckoutSession, checkout))
    add("GET", checkout, server.api_list_all(CheckoutSession, checkout))
    add("GET", f"{checkout}/{{id}}", server.api_retrieve(CheckoutSession, checkout))
    add("POST", f"{checkout}/{{id}}/expire", server.api_extra(CheckoutSession._api_expire, checkout))
    add("POST", portal, server.api_create(PortalSession, portal))
    add("GET", "/pay/{id}", show_checkout)
    add("POST", "/pay/{id}", pay)
    add("GET", "/portal/{id}", show_portal)
    add("POST", "/portal/{id}", act)
    add("POST", "/_config/subscriptions/{id}/{action}", act_on_subscription)
    add("POST", "/_config/customers/{id}/card", set_card)
    add("GET", "/_config/deliveries", count_deliveries)
    add("GET", "/healthz", alive)
    app.on_startup.append(_prepare)
    return app


async def _prepare(_: web.Application) -> None:
    """Make the price, and register who wants events."""
    price = os.environ.get("STRIPE_PRO_PRICE_ID", "price_pro")
    Plan(id=price, amount=900, currency="usd", interval="month", product={"name": "StatusWatch Pro"})
    url, secret = os.environ.get("WEBHOOK_URL", ""), os.environ.get("WEBHOOK_SECRET", "")
    if path := os.environ.get("WEBHOOK_SECRET_FILE", ""):
        with open(path) as file:
            secret = file.read().strip()
    if url:
        webhooks.register_webhook("statuswatch", url, secret, None)


def _update_subscription(cls: type[Subscription], id: str, **data: object) -> Subscription:
    subscription = cls._api_retrieve(id)
    change(subscription, **data)
    return subscription


def _subscriptions(customer: str) -> list[Subscription]:
    return Subscription._api_list_all("", customer=customer)._list


def _use_card(customer: str, number: str) -> None:
    card = {"number": number, "exp_month": "12", "exp_year": "2035", "cvc": "123"}
    method = PaymentMethod(type="card", card=card)
    PaymentMethod._api_attach(method.id, customer=customer)
    Customer._api_update(customer, invoice_settings={"default_payment_method": method.id})


def _checkout_form(session: CheckoutSession, message: str) -> str:
    if session.status != "open":
        return f"<p>This page is {session.status}.</p>"
    buttons = "".join(_button("card", number, f"{number} ({what})") for number, what in CARDS.items())
    back = html.escape(session.cancel_url, quote=True)
    warning = f'<p role="alert"><b>{html.escape(message)}</b></p>' if message else ""
    return f'{warning}<p>StatusWatch Pro, 9.00 USD a month. Pay with:</p>{buttons}<p><a href="{back}">Back</a></p>'


def _portal_form(session: PortalSession) -> str:
    lines = [
        f"<p>{item.id}: <b>{item.status}</b>{', ends with the period' if item.cancel_at_period_end else ''}</p>"
        for item in _subscriptions(session.customer)
    ] or ["<p>No subscription.</p>"]
    actions = "".join(_button("action", name, name) for name in ACTIONS)
    cards = "".join(_button("card", number, f"Use {number} ({what})") for number, what in CARDS.items())
    back = html.escape(session.return_url, quote=True)
    return f'{"".join(lines)}{actions}<h2>Card</h2>{cards}<p><a href="{back}">Back</a></p>'


def _button(name: str, value: str, text: str) -> str:
    return f'<form method="post"><button name="{name}" value="{value}">{html.escape(text)}</button></form>'


def _page(title: str, body: str, status: int = 200) -> web.Response:
    style = "body{font:16px/1.5 system-ui;max-width:34rem;margin:3rem auto}button{font:inherit;margin:.2rem 0}"
    note = "<small>A double of Stripe: no money moves.</small>"
    text = (
        f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{style}</style><h1>{title}</h1>{body}{note}"
    )
    return web.Response(text=text, content_type="text/html", status=status)


def main() -> None:
    """Listen until told to end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - in a container
    parser.add_argument("--port", type=int, default=8420)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    web.run_app(make_app(), host=given.host, port=given.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
