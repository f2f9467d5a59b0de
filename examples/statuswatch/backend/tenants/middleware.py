"""Host -> tenant, except on the paths that must answer before there is any tenant."""

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import set_urlconf
from django_tenants.middleware.main import TenantMainMiddleware

TENANTLESS_PATHS = (
    "/healthz",
    "/health/",
    "/metrics",
    "/version",
    "/api/internal/",
    "/api/billing/webhook/",
    "/debug/",
)


class TenantMiddleware(TenantMainMiddleware):
    """Choose the schema by the host; health, version and internal paths always see the public one.

    The Host check stays strict on every path: `get_host` raises DisallowedHost, which Django answers with 400 (the
    library would hide it behind a 404).
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        request.get_host()
        if not request.path.startswith(TENANTLESS_PATHS):
            return super().process_request(request)
        connection.set_schema_to_public()
        request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
        set_urlconf(request.urlconf)
        return None
