"""The public page, and the question Caddy asks before it orders a certificate."""

import logging

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from shared.inside import is_inside
from tenants.models import Client, Domain

logger = logging.getLogger(__name__)


@require_GET
def welcome(request: HttpRequest) -> HttpResponse:
    """Answer the public host."""
    return render(
        request,
        "public.html",
        {"tenant_count": Client.objects.exclude(schema_name="public").count()},
    )


@never_cache
@require_safe
def host(request: HttpRequest) -> JsonResponse:
    """Say what this host is: one build of the frontend is served on all of them."""
    is_public = connection.schema_name == "public"
    return JsonResponse(
        {
            "kind": "public" if is_public else "organization",
            "organization": "" if is_public else connection.tenant.name,
            "public_host": settings.DEFAULT_TENANT_DOMAIN_SUFFIX,
            "has_demo": bool(settings.DEMO_TENANT),
            "version": settings.APP_VERSION,
        }
    )


@require_GET
def validate_domain(request: HttpRequest) -> JsonResponse:
    """Answer 200 for a host we serve, 404 for any other, 400 without a host.

    What came through a proxy gets 404: only the edge asks, and it asks directly; a public answer would list tenants.
    """
    if not is_inside(request):
        return JsonResponse({"detail": "not found"}, status=404)
    domain = request.GET.get("domain", "").strip().lower()
    if not domain:
        return JsonResponse({"detail": "domain is missing"}, status=400)
    is_known = Domain.objects.filter(domain=domain).exists()
    logger.info("certificate for %r: %s", domain, "known" if is_known else "refused")
    return JsonResponse({"domain": domain, "known": is_known}, status=200 if is_known else 404)
