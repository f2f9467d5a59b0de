"""Make the public tenant, the tenant acme, its owner `demo` and a few endpoints; may be run again at any time."""

from argparse import ArgumentParser

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand
from django.db import transaction
from django_tenants.utils import tenant_context

from accounts.registration import OWNERS
from accounts.views import DEMO_USER
from monitors.models import Endpoint
from shared import environment
from tenants.models import Client, Domain
from tenants.plans import Plan

ENDPOINTS = "This release=http://web:8000/version,StatusWatch health=http://web:8000/health/"


class Command(BaseCommand):
    """See the module."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--suffix", default=settings.DEFAULT_TENANT_DOMAIN_SUFFIX)
        parser.add_argument("--plan", choices=Plan.values, default=Plan.PRO, help="of the tenant")
        parser.add_argument("--tenant", default="acme", help="schema name and first label of its host")

    def handle(self, *, suffix: str, tenant: str, plan: str, **_: object) -> None:
        _ensure_tenant("public", "StatusWatch", suffix)
        client = _ensure_tenant(tenant, tenant.capitalize(), f"{tenant}.{suffix}")
        Client.objects.filter(pk=client.pk).update(subscription_status=plan)
        with tenant_context(client):
            has_password = _ensure_user()
            _ensure_endpoints()
        self.stdout.write(f"{tenant}.{suffix}: user {DEMO_USER} {'with' if has_password else 'WITHOUT'} a password")


@transaction.atomic  # nobody sees a tenant whose schema is only half made
def _ensure_tenant(schema_name: str, name: str, host: str) -> Client:
    client = Client.objects.filter(schema_name=schema_name).first() or Client(schema_name=schema_name, name=name)
    if client.pk is None:
        client.save(verbosity=0)
    if not Domain.objects.filter(domain=host).exists():
        Domain.objects.create(domain=host, tenant=client, is_primary=True)
    return client


def _ensure_user() -> bool:
    user, is_new = User.objects.get_or_create(username=DEMO_USER, defaults={"email": "demo@example.com"})
    user.groups.add(Group.objects.get_or_create(name=OWNERS)[0])
    password = environment.text("SEED_PASSWORD", "demo-password-1" if settings.DEBUG else "")
    if password and not user.check_password(password):
        user.set_password(password)
        user.save()
    elif is_new and not password:
        user.set_unusable_password()
        user.save()
    return user.has_usable_password()


def _ensure_endpoints() -> None:
    for item in environment.words("SEED_ENDPOINTS", ENDPOINTS):
        name, _, url = item.partition("=")
        Endpoint.objects.get_or_create(url=url, defaults={"name": name, "interval_minutes": 1})
