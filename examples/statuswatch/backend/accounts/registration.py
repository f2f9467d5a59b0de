"""An organization signs itself up."""

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core import signing
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.utils import timezone
from django_tenants.utils import schema_context, tenant_context
from kombu.exceptions import OperationalError

from accounts.models import Profile
from tenants import organizations
from tenants.models import Client

logger = logging.getLogger(__name__)
OWNERS = "Owner"
SALT = "accounts.verify-email"
LINK_LIVES = timedelta(hours=48)
SLOW_SECONDS = 2.0


class Refused(Exception):
    """The registration cannot be; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def register(organization: str, email: str, password: str) -> tuple[Client, User]:
    """Create organization, schema, host and owner, all or none; then write to the owner.

    PostgreSQL makes and drops schemas inside a transaction, so there is nothing to clean up after a failure, whatever
    fails, and nobody sees half an organization.
    """
    started = time.monotonic()
    if Client.objects.filter(name__iexact=organization).exists():
        raise Refused("duplicate_organization_name", "There is an organization of that name.")
    try:
        with transaction.atomic():
            client = organizations.create(organization)
            with tenant_context(client):
                user = _create_owner(email, password)
    except IntegrityError as exc:
        raise Refused("schema_conflict", "Somebody took that name at the same moment. Please try again.") from exc
    seconds = time.monotonic() - started
    logger.log(logging.WARNING if seconds > SLOW_SECONDS else logging.INFO, "registered in %.1f s", seconds)
    send_later(client, user)
    return client, user


def make_token(client: Client, user: User) -> str:
    """Return what the link in the mail carries."""
    return signing.dumps({"tenant": client.schema_name, "user": user.pk, "email": user.email}, salt=SALT)


def verify(token: str) -> Client | None:
    """Note that the address is its user's; return the organization, or None for a token that is not ours or too old."""
    try:
        told = signing.loads(token, salt=SALT, max_age=LINK_LIVES)
    except signing.BadSignature:
        return None
    client = Client.objects.filter(schema_name=told["tenant"]).first()
    if client is None:
        return None
    with tenant_context(client):
        found = Profile.objects.filter(user_id=told["user"], user__email=told["email"])
        return client if found.update(email_verified=True) else None


def is_verified(user: User) -> bool:
    """Say whether a user's address is known to be theirs."""
    return not Profile.objects.filter(user=user, email_verified=False).exists()


def send_later(client: Client, user: User) -> None:
    """Hand the mail to the worker; without a broker it is not sent, and can be asked for again."""
    from accounts.tasks import send_verification

    try:
        send_verification.delay(client.schema_name, user.pk)
    except OperationalError as exc:
        logger.error("the verification of user %s was not enqueued: %s", user.pk, type(exc).__name__)


def send(schema_name: str, user_id: int) -> bool:
    """Send the mail with the link, unless the address has been verified meanwhile."""
    client = Client.objects.filter(schema_name=schema_name).first()
    if client is None:
        return False
    with schema_context(schema_name):
        user = User.objects.filter(pk=user_id, profile__email_verified=False).first()
        if user is None:
            return False
        link = f"{settings.FRONTEND_URL}/verify-email/?token={make_token(client, user)}"
        text = f"Please confirm that this is your address, within 48 hours:\n\n{link}\n\nYour pages: {_pages(client)}\n"
        EmailMessage("Confirm your address", text, to=[user.email]).send()
        Profile.objects.filter(user=user).update(verification_sent_at=timezone.now())
    return True


def _create_owner(email: str, password: str) -> User:
    user = User.objects.create_user(email, email=email, password=password)
    user.groups.add(Group.objects.get_or_create(name=OWNERS)[0])
    Profile.objects.create(user=user)
    return user


def _pages(client: Client) -> str:
    scheme = settings.FRONTEND_URL.partition("://")[0]
    return f"{scheme}://{organizations.host_of(client)}/"
