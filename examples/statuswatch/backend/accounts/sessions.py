"""Sessions: a short access token and a refresh token that is worth one use. Both belong to one tenant.

Every tenant has a user 1 and all tokens are signed with one key, so the tenant's schema stands in the token and is
compared on every request; else a session of one organization would open another's.
"""

from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from django_tenants.utils import schema_context
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.state import token_backend
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken
from rest_framework_simplejwt.tokens import RefreshToken, Token

from accounts.models import ApiToken, digest_of

CLAIM = "tenant"
# A page that is reloaded while it renews never sees the answer, and would be logged out with a token that is used.
GRACE: Final = timedelta(seconds=10)


class _SessionToken(RefreshToken):
    """A refresh token whose earlier use is judged here, not by the library."""

    def check_blacklist(self) -> None:
        """Let used ones in."""


def begin(user: User) -> dict[str, str]:
    """Return the tokens of a new session of the current tenant."""
    refresh = RefreshToken.for_user(user)
    refresh[CLAIM] = connection.schema_name  # the access token copies it
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


def renew(raw: str) -> dict[str, str]:
    """Exchange a refresh token for a new session; the old one is worth nothing once `GRACE` is over.

    Raises InvalidToken for one that is expired, used before, ended, of another tenant, or whose user is gone.
    """
    with schema_context(_tenant_of(raw)):
        used, is_first = _use(raw)
        user = User.objects.filter(pk=used.token.user_id, is_active=True).first()
        is_in_time = is_first or timezone.now() - used.blacklisted_at < GRACE
        if not is_in_time or user is None:
            raise InvalidToken("The session is over.")
        return begin(user)


def end(raw: str) -> None:
    """End a session at once; one that is over already stays over."""
    with schema_context(_tenant_of(raw)):
        try:
            used, _ = _use(raw)
        except InvalidToken:
            return
        BlacklistedToken.objects.filter(pk=used.pk).update(blacklisted_at=timezone.now() - GRACE)


def _use(raw: str) -> tuple[BlacklistedToken, bool]:
    """Note the use of a token; the note, and whether it is the first."""
    try:
        return _SessionToken(raw).blacklist()
    except TokenError as exc:
        raise InvalidToken(str(exc)) from exc


class SessionAuthentication(JWTAuthentication):
    """`Authorization: Bearer ...` with an access token of this very tenant."""

    def get_validated_token(self, raw_token: bytes) -> Token:
        """Refuse a token of another tenant."""
        token = super().get_validated_token(raw_token)
        if token.get(CLAIM) != connection.schema_name:
            raise InvalidToken("The session belongs to another organization.")
        return token


class ApiTokenAuthentication(BaseAuthentication):
    """`Authorization: Token sw_...`, for programs."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return whose token it is, or None when there is none."""
        words = get_authorization_header(request).split()
        if len(words) != 2 or words[0].lower() != b"token":
            return None
        found = ApiToken.objects.select_related("user").filter(digest=digest_of(words[1].decode(errors="replace")))
        token = found.filter(user__is_active=True).first()
        if token is None:
            raise AuthenticationFailed("The token is unknown.")
        token.note_use(timezone.now())
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Make a refusal 401."""
        return "Token"


def _tenant_of(raw: str) -> str:
    """Return the tenant in a token that is signed by us; on a tenant's host it must be that one's."""
    try:
        schema_name = str(token_backend.decode(raw).get(CLAIM, ""))
    except Exception as exc:
        raise InvalidToken("The session is over.") from exc
    if not schema_name or connection.schema_name not in {"public", schema_name}:
        raise InvalidToken("The session belongs to another organization.")
    return schema_name
