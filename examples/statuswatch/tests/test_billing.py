"""Paying: the application asks a stateful double of Stripe over HTTP, and gets its signed events as they were sent."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import stripe_double
from conftest import PASSWORD, TenantBrowser
from django.contrib.auth.models import Group, User
from django.test import Client as Browser
from django_tenants.utils import tenant_context
from stripe_double import DECLINED_CARD, FAILING_CARD, Delivery, Double

from billing import gateway
from billing.models import Account, ReceivedEvent
from tenants.models import Client, Domain

pytestmark = pytest.mark.django_db
WEBHOOK = "/api/billing/webhook/"


@pytest.fixture(scope="module")
def process() -> Iterator[Double]:
    with stripe_double.running() as double:
        yield double


@pytest.fixture
def double(process: Double, settings: object) -> Double:
    settings.STRIPE_SECRET_KEY = stripe_double.KEY
    settings.STRIPE_PRO_PRICE_ID = stripe_double.PRICE
    settings.STRIPE_WEBHOOK_SECRET = stripe_double.SECRET
    settings.STRIPE_API_BASE = process.address
    process.events()
    return process


@pytest.fixture
def owner(acme: Client) -> TenantBrowser:
    with tenant_context(acme):
        user = User.objects.create_user("olga", email="olga@example.com", password=PASSWORD)
        user.groups.add(Group.objects.get_or_create(name="Owner")[0])
    browser = TenantBrowser("acme.testserver")
    answer = browser.post("/api/auth/login/", {"username": "olga", "password": PASSWORD})
    browser.headers = {"Authorization": f"Bearer {answer.json()['access']}"}
    return browser


def deliver(delivery: Delivery, signature: str | None = None) -> object:
    """Send an event to the application as it came from the double."""
    return Browser(SERVER_NAME="testserver").post(
        WEBHOOK,
        delivery.body,
        content_type="application/json",
        headers={"Stripe-Signature": delivery.signature if signature is None else signature},
    )


def subscribe(owner: TenantBrowser, double: Double) -> list[Delivery]:
    """Buy Pro; return the events of it, none of which the application has seen."""
    answer = owner.post("/api/billing/create-checkout-session/")
    assert answer.status_code == 201, answer.content
    assert double.pay(answer.json()["url"]).endswith("?checkout=success")
    return double.events("checkout.session.completed", "customer.subscription.created", "invoice.payment_succeeded")


def plan_of(browser: TenantBrowser) -> str:
    return browser.get("/api/auth/me/").json()["plan"]


def only(deliveries: list[Delivery], kind: str) -> Delivery:
    return next(item for item in deliveries if item.event["type"] == kind)


def account(acme: Client) -> Account:
    return Account.objects.get(client=acme)


@pytest.mark.requirement("R28", "R214")
def test_an_owner_buys_pro_and_comes_back_to_the_page_they_were_on(
    owner: TenantBrowser, double: Double, acme: Client
) -> None:
    answer = owner.post("/api/billing/create-checkout-session/", {"return_path": "/plan"})
    assert double.pay(answer.json()["url"]) == "http://acme.testserver/plan?checkout=success"
    assert plan_of(owner) == "free"  # the way back proves nothing: anybody can open that address
    assert deliver(only(double.events("checkout.session.completed"), "checkout.session.completed")).status_code == 200
    told = owner.get("/api/billing/").json()
    assert (told["plan"], told["status"], told["endpoint_limit"], told["can_manage"]) == ("pro", "active", None, True)
    assert told["current_period_end"] > datetime.now(UTC).isoformat()
    acme.refresh_from_db()
    assert acme.paid_until
    assert acme.stripe_customer_id.startswith("cus_")


def test_pro_has_as_many_endpoints_as_you_like(owner: TenantBrowser, double: Double) -> None:
    def add(number: int) -> int:
        body = {"name": "One", "url": f"https://93.184.216.34/{number}"}
        return owner.post("/api/endpoints/", body).status_code

    assert [add(number) for number in range(4)] == [201, 201, 201, 403]
    for delivery in subscribe(owner, double):
        deliver(delivery)
    assert [add(number) for number in range(4, 8)] == [201] * 4


@pytest.mark.parametrize("card", [DECLINED_CARD, FAILING_CARD])
def test_a_card_that_does_not_pay_buys_nothing(owner: TenantBrowser, double: Double, card: str) -> None:
    url = owner.post("/api/billing/create-checkout-session/").json()["url"]
    assert double.pay(url, card) == url
    for delivery in double.events():
        deliver(delivery)
    assert owner.post("/api/billing/sync/").json()["plan"] == "free"


def test_the_same_event_counts_once(owner: TenantBrowser, double: Double) -> None:
    completed = only(subscribe(owner, double), "checkout.session.completed")
    assert [deliver(completed).json()["outcome"] for _ in range(3)] == ["applied", "duplicate", "duplicate"]
    assert ReceivedEvent.objects.filter(type="checkout.session.completed").count() == 1


def test_events_in_the_wrong_order_end_in_what_is_true(owner: TenantBrowser, double: Double, acme: Client) -> None:
    bought = subscribe(owner, double)
    deliver(only(bought, "checkout.session.completed"))
    double.act(account(acme).subscription_id, "cancel-now")
    deleted = double.events("customer.subscription.deleted")
    assert deliver(only(deleted, "customer.subscription.deleted")).status_code == 200
    assert plan_of(owner) == "canceled"
    late = [deliver(only(bought, kind)) for kind in ("invoice.payment_succeeded", "customer.subscription.created")]
    assert [answer.json()["outcome"] for answer in late] == ["applied", "applied"]
    assert plan_of(owner) == "canceled"  # both said `active` once


def test_a_deletion_that_overtakes_the_purchase_wins(owner: TenantBrowser, double: Double, acme: Client) -> None:
    bought = subscribe(owner, double)
    subscription_id = double.get(f"/v1/subscriptions?customer={_customer(acme)}")["data"][0]["id"]
    double.act(subscription_id, "cancel-now")
    for delivery in [*double.events("customer.subscription.deleted"), *bought]:
        deliver(delivery)
    assert plan_of(owner) == "canceled"


def test_a_failed_renewal_keeps_pro_until_stripe_gives_up(owner: TenantBrowser, double: Double, acme: Client) -> None:
    deliver(only(subscribe(owner, double), "checkout.session.completed"))
    double.set_card(_customer(acme), FAILING_CARD)
    double.act(account(acme).subscription_id, "end-period")
    for delivery in double.events("invoice.payment_failed", "customer.subscription.updated"):
        deliver(delivery)
    told = owner.get("/api/billing/").json()
    assert (told["plan"], told["status"], told["is_past_due"]) == ("pro", "past_due", True)
    double.act(account(acme).subscription_id, "end-period")
    for delivery in double.events("customer.subscription.deleted"):
        deliver(delivery)
    told = owner.get("/api/billing/").json()
    assert (told["plan"], told["status"], told["is_past_due"]) == ("canceled", "canceled", False)


def test_who_pays_after_all_is_not_past_due_any_more(owner: TenantBrowser, double: Double, acme: Client) -> None:
    deliver(only(subscribe(owner, double), "checkout.session.completed"))
    double.set_card(_customer(acme), FAILING_CARD)
    double.act(account(acme).subscription_id, "end-period")
    double.events("invoice.payment_failed")
    double.set_card(_customer(acme), stripe_double.GOOD_CARD)
    double.act(account(acme).subscription_id, "pay")
    for delivery in double.events("invoice.payment_succeeded"):
        deliver(delivery)
    assert owner.get("/api/billing/").json()["status"] == "active"


def test_cancelling_keeps_what_is_paid_and_can_be_taken_back(
    owner: TenantBrowser, double: Double, acme: Client
) -> None:
    deliver(only(subscribe(owner, double), "checkout.session.completed"))
    told = owner.post("/api/billing/cancel/").json()
    assert (told["plan"], told["cancel_at_period_end"]) == ("pro", True)
    assert owner.post("/api/billing/resume/").json()["cancel_at_period_end"] is False
    owner.post("/api/billing/cancel/")
    double.act(account(acme).subscription_id, "end-period")
    for delivery in double.events("customer.subscription.deleted"):
        deliver(delivery)
    assert plan_of(owner) == "canceled"
    assert owner.post("/api/billing/cancel/").json()["error"]["code"] == "no_subscription"


def test_who_cancelled_may_buy_again(owner: TenantBrowser, double: Double, acme: Client) -> None:
    deliver(only(subscribe(owner, double), "checkout.session.completed"))
    double.act(account(acme).subscription_id, "cancel-now")
    double.events("customer.subscription.deleted")
    for delivery in subscribe(owner, double):
        deliver(delivery)
    assert plan_of(owner) == "pro"


def test_nobody_pays_twice(owner: TenantBrowser, double: Double) -> None:
    first = owner.post("/api/billing/create-checkout-session/").json()["url"]
    second = owner.post("/api/billing/create-checkout-session/").json()["url"]
    assert double.pay(first) == first  # the page of the other tab is closed
    assert double.pay(second) != second
    answer = owner.post("/api/billing/create-checkout-session/")  # the events are still on their way
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_subscribed")


def test_the_plan_can_be_asked_for_before_the_event_comes(owner: TenantBrowser, double: Double) -> None:
    subscribe(owner, double)
    assert owner.post("/api/billing/sync/").json()["plan"] == "pro"


def test_the_portal_opens_for_who_has_bought(owner: TenantBrowser, double: Double) -> None:
    answer = owner.post("/api/billing/create-portal-session/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_customer")
    subscribe(owner, double)
    assert "/portal/bps_" in owner.post("/api/billing/create-portal-session/").json()["url"]


def test_a_plan_that_an_operator_gave_is_not_taken_away(owner: TenantBrowser, double: Double, acme: Client) -> None:
    Client.objects.filter(pk=acme.pk).update(subscription_status="pro")
    assert owner.post("/api/billing/sync/").json()["plan"] == "pro"
    assert owner.post("/api/billing/create-checkout-session/").status_code == 409


def test_a_customer_that_stripe_forgot_is_made_again(owner: TenantBrowser, double: Double, acme: Client) -> None:
    deliver(only(subscribe(owner, double), "checkout.session.completed"))
    before = _customer(acme)
    double.delete(f"/v1/customers/{before}")
    deliver(only(double.events("customer.deleted"), "customer.deleted"))
    assert plan_of(owner) == "canceled"
    subscribe(owner, double)
    assert _customer(acme) not in {"", before}


# --- events that are none


@pytest.mark.parametrize("signature", ["", "t=1,v1=00", "nonsense", "t=x,v1=y", "v1=00"])
def test_a_wrong_signature_is_refused(owner: TenantBrowser, double: Double, signature: str) -> None:
    completed = only(subscribe(owner, double), "checkout.session.completed")
    assert deliver(completed, signature).status_code == 400
    assert plan_of(owner) == "free"


def test_a_signature_of_another_secret_or_of_yesterday_is_refused(
    owner: TenantBrowser, double: Double, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    completed = only(subscribe(owner, double), "checkout.session.completed")
    settings.STRIPE_WEBHOOK_SECRET = "whsec_another"
    assert deliver(completed).status_code == 400
    settings.STRIPE_WEBHOOK_SECRET = stripe_double.SECRET
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr("stripe._webhook.time.time", tomorrow.timestamp)
    assert deliver(completed).status_code == 400
    assert plan_of(owner) == "free"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"{}", b'{"id": "evt_1", "type": "x", "data": 1, "created": 1}']
)
def test_a_signed_body_that_is_no_event_is_refused(double: Double, body: bytes) -> None:
    assert deliver(Delivery(body, _sign(body))).status_code == 400


def test_events_of_strangers_and_of_no_interest_are_taken_and_left(owner: TenantBrowser, double: Double) -> None:
    bought = subscribe(owner, double)
    assert deliver(only(bought, "customer.created")).status_code == 202
    body = only(bought, "invoice.payment_succeeded").body.replace(b'"customer": "cus_', b'"customer": "cus_x')
    answer = deliver(Delivery(body, _sign(body)))
    assert (answer.status_code, answer.json()["outcome"]) == (202, "unknown_customer")
    assert plan_of(owner) == "free"


def test_an_event_while_stripe_is_away_comes_again(owner: TenantBrowser, double: Double, settings: object) -> None:
    completed = only(subscribe(owner, double), "checkout.session.completed")
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert deliver(completed).status_code == 503
    assert not ReceivedEvent.objects.exists()
    settings.STRIPE_API_BASE = double.address
    assert deliver(completed).status_code == 200
    assert plan_of(owner) == "pro"


def test_without_a_secret_no_event_is_believed(double: Double, settings: object) -> None:
    settings.STRIPE_WEBHOOK_SECRET = ""
    answer = deliver(Delivery(b"{}", _sign(b"{}")))
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "billing_not_configured")


def test_only_a_post_is_an_event(double: Double) -> None:
    assert Browser(SERVER_NAME="testserver").get(WEBHOOK).status_code == 405


def test_old_events_are_forgotten(owner: TenantBrowser, double: Double) -> None:
    now = datetime.now(UTC)
    for name, days in (("evt_old", 91), ("evt_young", 89)):
        received_at = now - timedelta(days=days)
        ReceivedEvent.objects.create(id=name, type="x", happened_at=received_at, received_at=received_at)
    deliver(only(subscribe(owner, double), "checkout.session.completed"))
    assert ReceivedEvent.objects.filter(id__in=["evt_old", "evt_young"]).get().id == "evt_young"


# --- who may


@pytest.mark.parametrize("what", ["create-checkout-session", "create-portal-session", "cancel", "resume", "sync"])
def test_only_owners_buy_and_cancel(user: TenantBrowser, guest: TenantBrowser, double: Double, what: str) -> None:
    assert user.post(f"/api/billing/{what}/").status_code == 403
    assert TenantBrowser("acme.testserver").post(f"/api/billing/{what}/").status_code == 401
    assert user.get("/api/billing/").json()["can_manage"] is False


def test_a_program_spends_no_money(owner: TenantBrowser, double: Double) -> None:
    key = owner.post("/api/api-tokens/", {"name": "deploys"}).json()["key"]
    program = TenantBrowser("acme.testserver")
    program.headers = {"Authorization": f"Token {key}"}
    assert program.get("/api/billing/").status_code == 200
    assert program.post("/api/billing/create-checkout-session/").status_code == 401


def test_one_organization_does_not_see_what_another_pays(owner: TenantBrowser, double: Double) -> None:
    for delivery in subscribe(owner, double):
        deliver(delivery)
    told = TenantBrowser("beta.testserver").login().get("/api/billing/").json()
    assert (told["plan"], told["status"]) == ("free", "")


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "plan", "/a?b=c"])
def test_the_way_back_leads_to_no_other_host(owner: TenantBrowser, double: Double, path: str) -> None:
    answer = owner.post("/api/billing/create-checkout-session/", {"return_path": path})
    assert (answer.status_code, list(answer.json())) == (400, ["return_path"])


def test_a_stale_primary_host_does_not_lead_to_staging(owner: TenantBrowser, double: Double, acme: Client) -> None:
    Domain.objects.create(domain="acme.staging.testserver", tenant=acme, is_primary=True)
    url = owner.post("/api/billing/create-checkout-session/").json()["url"]
    assert double.pay(url).startswith("http://acme.testserver/")


def test_two_tenants_do_not_share_the_limit_of_requests(double: Double, acme: Client, monkeypatch: object) -> None:
    from accounts.throttles import TenantScopedThrottle
    from billing.views import OwnersView

    class Strict(TenantScopedThrottle):
        THROTTLE_RATES = {"billing": "2/hour"}

    monkeypatch.setattr(OwnersView, "throttle_classes", (Strict,))
    users = set()
    for client in (acme, Client.objects.get(schema_name="beta")):
        with tenant_context(client):
            user = User.objects.get(username="demo")
            user.groups.add(Group.objects.get_or_create(name="Owner")[0])
            users.add(user.pk)
        browser = TenantBrowser(f"{client.schema_name}.testserver").login()
        assert [browser.post("/api/billing/sync/").status_code for _ in range(3)] == [200, 200, 429]
    assert len(users) == 1  # both are user 1 of their schema


# --- without Stripe


def test_without_keys_nothing_is_for_sale(owner: TenantBrowser, settings: object) -> None:
    settings.STRIPE_SECRET_KEY = ""
    answer = owner.post("/api/billing/create-checkout-session/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "billing_not_configured")
    assert owner.get("/api/billing/").json()["can_manage"] is False


def test_what_stripe_says_stays_inside(owner: TenantBrowser, double: Double, settings: object) -> None:
    settings.STRIPE_PRO_PRICE_ID = "price_that_is_not_there"
    gateway._client.cache_clear()
    answer = owner.post("/api/billing/create-checkout-session/")
    assert answer.status_code == 502
    assert "price_" not in answer.content.decode()
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    answer = owner.post("/api/billing/create-checkout-session/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "stripe_unavailable")


def test_anybody_may_know_the_public_key(public: TenantBrowser, settings: object) -> None:
    settings.STRIPE_PUBLIC_KEY, settings.STRIPE_PRO_PRICE_ID = "pk_test_1", "price_1"
    assert public.get("/api/pay/config/").json() == {
        "public_key": "pk_test_1",
        "price_id": "price_1",
        "test_mode": True,
    }


def _customer(acme: Client) -> str:
    return Client.objects.get(pk=acme.pk).stripe_customer_id


def _sign(body: bytes) -> str:
    import hashlib
    import hmac
    import time

    now = int(time.time())
    digest = hmac.new(stripe_double.SECRET.encode(), b"%d.%s" % (now, body), hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"
