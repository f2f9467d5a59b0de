"""In a copy of production: give every tenant a host below the copy's own suffix, and make it the primary one.

`acme.example.com` gets `acme.rehearsal.example.com` beside it, the public host the suffix itself. Hosts of production
stay, so that the copy also answers what production is asked. May be run again.
"""

from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from tenants.models import Domain


class Command(BaseCommand):
    """See the module."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--suffix", default=settings.DEFAULT_TENANT_DOMAIN_SUFFIX, help="of the copy")

    @transaction.atomic
    def handle(self, *, suffix: str, **_: object) -> None:
        for old in Domain.objects.filter(is_primary=True).exclude(domain__endswith=f".{suffix}").exclude(domain=suffix):
            is_public = old.tenant.schema_name == "public"
            host = suffix if is_public else f"{old.domain.partition('.')[0]}.{suffix}"
            if Domain.objects.filter(domain=host).exists():
                continue
            Domain.objects.create(domain=host, tenant=old.tenant, is_primary=True)  # the library turns the old one off
            self.stdout.write(f"{old.domain} is also {host}")
