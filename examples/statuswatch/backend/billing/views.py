"""Plan, checkout, portal and cancellation for people; the webhook for Stripe."""

import logging
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.registration import OWNERS
from accounts.sessions import SessionAuthentication
from accounts.throttles import TenantScopedThrottle
from accounts.views import DEMO_USER
from billing import events, gateway, subscriptions
from billing.models import Account
from billing.serializers import AddressSerializer, BillingSerializer, PaymentConfigSerializer, ReturnSerializer
from monitors.models import Endpoint
from shared.answers import refusal
from tenants.models import Client
from tenants.plans import PRO_PRICE, Plan, endpoint_limit_or_none

logger = logging.getLogger(__name__)
PLANS = [
    {"id": Plan.FREE, "name": "Free", "price": "0", "endpoint_limit": endpoint_limit_or_none(Plan.FREE)},
    {"id": Plan.PRO, "name": "Pro", "price": PRO_PRICE, "endpoint_limit": endpoint_limit_or_none(Plan.PRO)},
]

View = Callable[..., Response]


class IsOwner(BasePermission):
    """Buying and cancelling is for owners: not for who looks around in a demo, nor for all who add endpoints."""

    message = "Only an owner of the organization can do this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Ask the group."""
        return is_owner(request)


def is_owner(request: Request) -> bool:
    """Say whether who asks owns the organization; in the demo, which is open to all, its user owns nothing."""
    user = request.user
    if connection.schema_name == settings.DEMO_TENANT and user.get_username() == DEMO_USER:
        return False
    return bool(user.is_authenticated and user.groups.filter(name=OWNERS).exists())


def with_stripe(view: View) -> View:
    """Answer 503 while no keys are set, 502 when Stripe does not answer; what it said goes to the log only."""

    @wraps(view)
    def asked(self: APIView, request: Request) -> Response:
        try:
            return view(self, request)
        except gateway.NotConfigured:
            text = "Payment is not set up on this server."
            return refusal("billing_not_configured", text, status.HTTP_503_SERVICE_UNAVAILABLE)
        except (gateway.Unavailable, gateway.CustomerGone) as exc:
            logger.error("Stripe: %s", exc)
            text = "The payment service does not answer. Nothing was changed; please try again."
            return refusal("stripe_unavailable", text, status.HTTP_502_BAD_GATEWAY)

    return asked


class BillingView(APIView):
    """The plan of the organization."""

    @extend_schema(responses=BillingSerializer)
    def get(self, request: Request) -> Response:
        """Answer plan, subscription and room, as last told by Stripe."""
        return Response(_describe(_client(), request))


class OwnersView(APIView):
    """What only owners do, and only people: a program's key must not spend money."""

    authentication_classes = (SessionAuthentication,)
    permission_classes = (IsAuthenticated, IsOwner)
    throttle_classes = (TenantScopedThrottle,)
    throttle_scope = "billing"


class CheckoutView(OwnersView):
    """Free -> Pro."""

    @extend_schema(request=ReturnSerializer, responses={201: AddressSerializer})
    @with_stripe
    def post(self, request: Request) -> Response:
        """Answer 201 with the address of Stripe's payment page, 409 when the organization has Pro already.

        The page leads back to `return_path` with `?checkout=success` or `?checkout=cancelled`.
        """
        back = _return_address(request)
        client = _client()
        if subscriptions.synchronize(client).client.subscription_status == Plan.PRO:
            return refusal("already_subscribed", "The organization has Pro already.", status.HTTP_409_CONFLICT)
        customer_id = subscriptions.customer_of(client, request.user.email)
        tenant = client.schema_name
        url = gateway.open_checkout(customer_id, tenant, f"{back}?checkout=success", f"{back}?checkout=cancelled")
        return Response({"url": url}, status=status.HTTP_201_CREATED)


class PortalView(OwnersView):
    """Stripe's own pages."""

    @extend_schema(request=ReturnSerializer, responses={201: AddressSerializer})
    @with_stripe
    def post(self, request: Request) -> Response:
        """Answer 201 with the address where the card is changed and invoices are, 409 before the first checkout."""
        back = _return_address(request)
        customer_id = subscriptions.synchronize(_client()).client.stripe_customer_id
        if not customer_id:
            return refusal("no_customer", "There is nothing to manage before Pro.", status.HTTP_409_CONFLICT)
        return Response({"url": gateway.open_portal(customer_id, back)}, status=status.HTTP_201_CREATED)


class CancelView(OwnersView):
    """Pro -> Free, when what was paid is used up."""

    at_period_end = True

    @extend_schema(request=None, responses=BillingSerializer)
    @with_stripe
    def post(self, request: Request) -> Response:
        """Answer the plan afterwards, 409 without a subscription that is paid for."""
        client = _client()
        account = subscriptions.synchronize(client)
        if account.status not in subscriptions.PAYING:
            return refusal("no_subscription", "There is no subscription to change.", status.HTTP_409_CONFLICT)
        gateway.set_cancellation(account.subscription_id, at_period_end=self.at_period_end)
        subscriptions.synchronize(client)
        return Response(_describe(_client(), request))


class ResumeView(CancelView):
    """Pro goes on after all."""

    at_period_end = False


class SynchronizeView(OwnersView):
    """For who has just come back from Stripe: its event may be a moment behind them."""

    @extend_schema(request=None, responses=BillingSerializer)
    @with_stripe
    def post(self, request: Request) -> Response:
        """Ask Stripe and answer the plan."""
        subscriptions.synchronize(_client())
        return Response(_describe(_client(), request))


class PaymentConfigView(APIView):
    """Public figures."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses=PaymentConfigSerializer)
    def get(self, request: Request) -> Response:
        """Answer the key that a browser may know."""
        test_mode = settings.STRIPE_PUBLIC_KEY.startswith("pk_test_")
        body = {"public_key": settings.STRIPE_PUBLIC_KEY, "price_id": settings.STRIPE_PRO_PRICE_ID}
        return Response({**body, "test_mode": test_mode})


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> JsonResponse:
    """Take in an event: 200 applied or known already, 202 none of ours, 400 not from Stripe; 503 sends it again."""
    try:
        event = gateway.read_event(request.body, request.headers.get("Stripe-Signature", ""))
        outcome = events.take_in(event, timezone.now())
    except gateway.BadEvent as exc:
        logger.warning("an event was refused: %s", exc)
        return JsonResponse({"error": {"code": "bad_event"}}, status=400)
    except gateway.NotConfigured:
        logger.error("an event came, but STRIPE_WEBHOOK_SECRET or the other keys are not set")
        return JsonResponse({"error": {"code": "billing_not_configured"}}, status=500)
    except gateway.Unavailable as exc:
        logger.error("Stripe: %s", exc)
        return JsonResponse({"error": {"code": "stripe_unavailable"}}, status=503)
    is_ours = outcome in {events.Outcome.APPLIED, events.Outcome.DUPLICATE}
    return JsonResponse({"outcome": outcome}, status=200 if is_ours else 202)


def _client() -> Client:
    """Return the organization whose host was asked, as it is now."""
    return Client.objects.get(schema_name=connection.schema_name)


def _return_address(request: Request) -> str:
    """Return where Stripe sends people back: the very host they are on, which is one of their organization's."""
    given = ReturnSerializer(data=request.data)
    given.is_valid(raise_exception=True)
    return request.build_absolute_uri(given.validated_data["return_path"])


def _describe(client: Client, request: Request) -> dict[str, object]:
    account = Account.objects.filter(client=client).first() or Account(client=client)
    limit, count = endpoint_limit_or_none(client.subscription_status), Endpoint.objects.count()
    wanted = Endpoint.objects.filter(is_paused=False).count()
    body = {
        "plan": client.subscription_status,
        "status": account.status,
        "is_past_due": account.status == "past_due",
        "current_period_end": account.current_period_end,
        "cancel_at_period_end": account.cancel_at_period_end,
        "endpoint_limit": limit,
        "endpoint_count": count,
        "endpoints_over_limit": 0 if limit is None else max(0, wanted - limit),
        "can_manage": bool(settings.STRIPE_SECRET_KEY) and is_owner(request),
        "plans": PLANS,
    }
    return dict(BillingSerializer(body).data)
