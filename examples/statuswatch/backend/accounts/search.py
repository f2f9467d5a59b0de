"""One login for all tenants: whose name and password are these?"""

from collections.abc import Iterator

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import connection
from django_tenants.utils import tenant_context

from tenants.models import Client

SCHEMAS_AT_A_TIME = 200
MOST_CANDIDATES = 10  # a password check takes long on purpose
QUERY = """
SELECT %s, id FROM {schema}.auth_user
WHERE is_active AND (lower(username) = lower(%s) OR (email <> '' AND lower(email) = lower(%s)))"""


def find(login: str, password: str, schema_name: str | None) -> list[tuple[Client, User]]:
    """Return each tenant's user whom login (name or address) and password fit; all tenants without a schema."""
    tenants = Client.objects.exclude(schema_name="public").order_by("pk")
    if schema_name is not None:
        tenants = tenants.filter(schema_name=schema_name)
    found, is_tried = [], False
    for client, user_id in _candidates(login, {client.schema_name: client for client in tenants}):
        is_tried = True
        with tenant_context(client):
            user = User.objects.filter(pk=user_id).first()
            if user is not None and user.check_password(password):
                found.append((client, user))
    if not is_tried:
        make_password(password)  # an unknown name takes as long as a wrong password
    return found


def unverified(email: str) -> list[tuple[Client, User]]:
    """Return each tenant's user of an address that is not verified yet."""
    tenants = {client.schema_name: client for client in Client.objects.exclude(schema_name="public")}
    found = []
    for client, user_id in _candidates(email, tenants):
        with tenant_context(client):
            found += [(client, user) for user in User.objects.filter(pk=user_id, profile__email_verified=False)]
    return found


def _candidates(login: str, tenants: dict[str, Client]) -> Iterator[tuple[Client, int]]:
    names = list(tenants)
    count = 0
    for first in range(0, len(names), SCHEMAS_AT_A_TIME):
        part = names[first : first + SCHEMAS_AT_A_TIME]
        each = " UNION ALL ".join(QUERY.format(schema=connection.ops.quote_name(name)) for name in part)
        with connection.cursor() as cursor:
            cursor.execute(each, [value for name in part for value in (name, login, login)])
            rows = cursor.fetchall()
        for schema_name, user_id in rows[: MOST_CANDIDATES - count]:
            count += 1
            yield tenants[schema_name], user_id
