"""New organizations, and the host that people of one are sent to."""

import re

from django.conf import settings
from django.utils.text import slugify

from tenants.models import Client, Domain

RESERVED = frozenset(
    {"www", "api", "admin", "public", "status", "statuswatch", "tenant", "tenants", "main", "staging", "mail", "app"}
)
LONGEST_SLUG = 48


def free_slug(name: str) -> str:
    """Return the first label for an organization: its name, with a number behind it when that is taken or reserved."""
    base = slugify(name)[:LONGEST_SLUG].strip("-_") or "org"
    slug, number = base, 0
    while slug in RESERVED or _is_taken(slug):
        number += 1
        slug = f"{base}-{number}"
    return slug


def schema_of(slug: str) -> str:
    """Return the schema of a slug; PostgreSQL keeps names that begin with pg_ for itself."""
    name = slug.replace("-", "_")
    return f"o_{name}" if re.match("pg_|[0-9]", name) else name


def create(name: str) -> Client:
    """Create organization, schema and host. Inside a transaction a failure leaves none of them."""
    slug = free_slug(name)
    client = Client(schema_name=schema_of(slug), name=name)
    client.save(verbosity=0)
    Domain.objects.create(domain=f"{slug}.{settings.DEFAULT_TENANT_DOMAIN_SUFFIX}", tenant=client, is_primary=True)
    return client


def host_of(client: Client) -> str:
    """Return where people of an organization are sent: below the suffix, whatever stale row is primary."""
    suffix = settings.DEFAULT_TENANT_DOMAIN_SUFFIX
    rows = list(client.domains.order_by("-is_primary", "pk"))
    canonical = [row for row in rows if row.domain.endswith(f".{suffix}") and f".staging.{suffix}" not in row.domain]
    return next((row.domain for row in [*canonical, *rows]), client.schema_name)


def _is_taken(slug: str) -> bool:
    host = f"{slug}.{settings.DEFAULT_TENANT_DOMAIN_SUFFIX}"
    is_schema = Client.objects.filter(schema_name__iexact=schema_of(slug)).exists()
    return is_schema or Domain.objects.filter(domain=host).exists()
