"""Sign-up, login over all tenants, sessions, tokens for programs."""

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_tenants.utils import tenant_context
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.mixins import CreateModelMixin, DestroyModelMixin, ListModelMixin
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

import accounts.api_description  # noqa: F401 - registers what it describes
from accounts import passwords, registration, search, sessions
from accounts.models import ApiToken
from shared.answers import refusal
from tenants import organizations
from tenants.models import Client

DEMO_USER = "demo"
SESSION = {200: OpenApiTypes.OBJECT, 401: OpenApiTypes.OBJECT}


class CredentialsSerializer(serializers.Serializer):
    """What a login sends; the user name may be an address."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=passwords.LONGEST, trim_whitespace=False)
    tenant_schema = serializers.CharField(max_length=63, required=False)


class RegistrationSerializer(serializers.Serializer):
    """What a sign-up sends."""

    organization = serializers.CharField(min_length=2, max_length=100)
    email = serializers.EmailField(max_length=150)
    password = serializers.CharField(trim_whitespace=False)

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        """Refuse a weak password."""
        try:
            validate_password(attrs["password"], User(username=attrs["email"], email=attrs["email"]))
        except ValidationError as exc:
            raise serializers.ValidationError({"password": exc.messages}) from exc
        return attrs


class RefreshSerializer(serializers.Serializer):
    """A refresh token."""

    refresh = serializers.CharField()


class EmailSerializer(serializers.Serializer):
    """An address."""

    email = serializers.EmailField(max_length=150)


class OpenView(APIView):
    """What anybody may ask, a limited number of times."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ScopedRateThrottle,)

    def get_authenticate_header(self, request: Request) -> str:
        """A refused session is 401; without this header the framework would answer 403."""
        return "Bearer"


class RegisterView(OpenView):
    """An organization signs itself up."""

    throttle_scope = "registration"
    serializer_class = RegistrationSerializer

    @extend_schema(responses={201: OpenApiTypes.OBJECT, 409: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        """Answer 201 with the organization's host, 409 when the name is taken."""
        given = RegistrationSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            client, user = registration.register(**given.validated_data)
        except registration.Refused as exc:
            return refusal(exc.code, str(exc), status.HTTP_409_CONFLICT)
        return Response({**_describe_tenant(client), "email": user.email}, status=status.HTTP_201_CREATED)


class LoginView(OpenView):
    """Exchange name and password for a session: of this tenant, or on the public host of the one that knows them."""

    throttle_scope = "login"
    serializer_class = CredentialsSerializer

    @extend_schema(responses={**SESSION, 403: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        """Answer 200 with a session or a choice of tenants, 401 when wrong, 403 before the address is verified."""
        credentials = CredentialsSerializer(data=request.data)
        credentials.is_valid(raise_exception=True)
        given = credentials.validated_data
        here = connection.schema_name
        schema_name = given.get("tenant_schema") if here == "public" else here
        found = search.find(given["username"], given["password"], schema_name)
        if not found:
            return Response({"detail": "Wrong user name or password."}, status=status.HTTP_401_UNAUTHORIZED)
        if len(found) > 1:
            tenants = [_describe_tenant(client) for client, _ in found]
            return Response({"multiple_tenants": True, "tenants": tenants})
        return _session_response(*found[0])


class DemoLoginView(OpenView):
    """Look around without an account, where the operator has named a tenant for it."""

    throttle_scope = "login"

    @extend_schema(request=None, responses={200: OpenApiTypes.OBJECT, 404: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        """Answer a session of the demo tenant's user."""
        client = Client.objects.filter(schema_name=settings.DEMO_TENANT).first() if settings.DEMO_TENANT else None
        if client is None:
            return Response({"detail": "There is no demo."}, status=status.HTTP_404_NOT_FOUND)
        with tenant_context(client):
            user = User.objects.filter(username=DEMO_USER, is_active=True).first()
        if user is None:
            return Response({"detail": "There is no demo."}, status=status.HTTP_404_NOT_FOUND)
        return _session_response(client, user)


class RefreshView(OpenView):
    """Go on with a session."""

    throttle_scope = "refresh"
    serializer_class = RefreshSerializer

    @extend_schema(responses=SESSION)
    def post(self, request: Request) -> Response:
        """Answer new tokens; the one that was sent is used up."""
        given = RefreshSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(sessions.renew(given.validated_data["refresh"]))


class LogoutView(OpenView):
    """End a session."""

    throttle_scope = "refresh"
    serializer_class = RefreshSerializer

    @extend_schema(responses={204: None})
    def post(self, request: Request) -> Response:
        """Make the refresh token worthless; the access token ends by itself within 15 minutes."""
        given = RefreshSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        sessions.end(given.validated_data["refresh"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class ResendView(OpenView):
    """Ask for the mail once more."""

    throttle_scope = "registration"
    serializer_class = EmailSerializer

    @extend_schema(responses={202: None})
    def post(self, request: Request) -> Response:
        """Answer 202 whether or not the address is known."""
        given = EmailSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        for client, user in search.unverified(given.validated_data["email"]):
            registration.send_later(client, user)
        return Response(status=status.HTTP_202_ACCEPTED)


class MeView(APIView):
    """Who is asking."""

    @extend_schema(responses=SESSION)
    def get(self, request: Request) -> Response:
        """Answer user and tenant."""
        return Response({"user": _describe_user(request.user), **_describe_tenant(connection.tenant)})


class ApiTokenSerializer(serializers.ModelSerializer):
    """A token without its key."""

    class Meta:
        model = ApiToken
        fields = ("id", "name", "created_at", "last_used_at")
        read_only_fields = ("created_at", "last_used_at")


class ApiTokenViewSet(CreateModelMixin, ListModelMixin, DestroyModelMixin, GenericViewSet):
    """One's own tokens. A token cannot make tokens: who steals one must not be able to keep the door open."""

    serializer_class = ApiTokenSerializer
    authentication_classes = (sessions.SessionAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get_queryset(self) -> object:
        """Only one's own."""
        return ApiToken.objects.filter(user_id=self.request.user.pk)

    def create(self, request: Request) -> Response:
        """Answer the key, this once."""
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        token, key = ApiToken.issue(request.user, given.validated_data["name"])
        return Response({**self.get_serializer(token).data, "key": key}, status=status.HTTP_201_CREATED)


@never_cache
@require_safe
def verify_email(request: HttpRequest) -> HttpResponse:
    """Confirm an address by the link in the mail."""
    client = registration.verify(request.GET.get("token", ""))
    context = {"host": organizations.host_of(client) if client else "", "scheme": request.scheme}
    return render(request, "verified.html", context, status=200 if client else 400)


def _session_response(client: Client, user: User) -> Response:
    with tenant_context(client):
        if not registration.is_verified(user):
            return refusal("email_unverified", "Please confirm your address first.", status.HTTP_403_FORBIDDEN)
        body = {**sessions.begin(user), **_describe_tenant(client), "user": _describe_user(user)}
    return Response(body)


def _describe_user(user: User) -> dict[str, object]:
    return {"username": user.get_username(), "email": user.email}


def _describe_tenant(client: Client) -> dict[str, str]:
    return {
        "tenant_schema": client.schema_name,
        "tenant_name": client.name,
        "tenant_domain": organizations.host_of(client),
        "plan": client.subscription_status,
    }
