"""Paths that answer on every allowed host, whether or not the host has a tenant (see TenantMiddleware)."""

from django.conf import settings
from django.urls import URLPattern, path

from billing import views as billing
from health import views as health
from tenants import views as tenants

urlpatterns: list[URLPattern] = [
    path("healthz", health.alive),
    path("health/", health.live),
    path("health/ready/", health.ready),
    path("metrics", health.prometheus),
    path("metrics/", health.prometheus),
    path("version", health.version),
    path("api/billing/webhook/", billing.webhook),
    path("api/internal/validate-domain/", tenants.validate_domain),
]
if settings.ENABLE_TEST_ENDPOINTS:
    urlpatterns.append(path("debug/sleep", health.sleep))
