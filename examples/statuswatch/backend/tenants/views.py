"""The public page, and the question Caddy asks before it orders a certificate."""

import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

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
