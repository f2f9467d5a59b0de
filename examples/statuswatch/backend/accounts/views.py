"""Login, who am I, logout. A token lives in the tenant's schema, so it is worth nothing on another tenant's host."""

from django.contrib.auth import authenticate
from django.db import connection
from rest_framework import serializers, status
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView


class CredentialsSerializer(serializers.Serializer):
    """What a login sends."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=128, trim_whitespace=False)


class LoginView(APIView):
    """Exchange name and password for a token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ScopedRateThrottle,)
    throttle_scope = "login"

    def post(self, request: Request) -> Response:
        """Answer 200 with a token, 400 without credentials, 401 with wrong ones, 429 when tried too often."""
        credentials = CredentialsSerializer(data=request.data)
        credentials.is_valid(raise_exception=True)
        user = authenticate(request._request, **credentials.validated_data)
        if user is None:
            return Response({"detail": "Wrong user name or password."}, status=status.HTTP_401_UNAUTHORIZED)
        token, _ = Token.objects.get_or_create(user=user)
        return Response({"token": token.key, **_describe(user.get_username())})


class MeView(APIView):
    """Who the token belongs to."""

    def get(self, request: Request) -> Response:
        """Answer user and tenant."""
        return Response(_describe(request.user.get_username()))


class LogoutView(APIView):
    """End the token."""

    def post(self, request: Request) -> Response:
        """Delete the token; it is refused from now on."""
        if request.auth is None:
            raise AuthenticationFailed
        request.auth.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


def _describe(username: str) -> dict[str, str]:
    tenant = connection.tenant
    return {
        "user": username,
        "tenant": tenant.schema_name,
        "tenant_domain": tenant.get_primary_domain().domain,
    }
