"""Health, readiness, release; and a slow request for tests."""

import time

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from health.checks import check_broker, check_database, check_migrations, run_checks

LONGEST_SLEEP_SECONDS = 60.0


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """Say whether database and broker answer; the container healthcheck asks this."""
    return _answer(run_checks(check_database, check_broker))


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Say whether this release may take requests: also that no migration of it is missing."""
    return _answer(run_checks(check_database, check_broker, check_migrations))


@never_cache
@require_safe
def version(request: HttpRequest) -> JsonResponse:
    """Name the release."""
    return JsonResponse({"version": settings.APP_VERSION})


@never_cache
@csrf_exempt
def sleep(request: HttpRequest) -> JsonResponse:
    """Answer after `seconds` (at most 60). Routed only with ENABLE_TEST_ENDPOINTS."""
    try:
        seconds = min(max(float(request.GET.get("seconds", "1")), 0.0), LONGEST_SLEEP_SECONDS)
    except ValueError:
        return JsonResponse({"detail": "seconds must be a number"}, status=400)
    time.sleep(seconds)
    return JsonResponse({"slept": seconds, "received": len(request.body), "version": settings.APP_VERSION})


def _answer(checks: dict[str, str]) -> JsonResponse:
    is_healthy = all(result == "ok" for result in checks.values())
    body = {
        "status": "healthy" if is_healthy else "unhealthy",
        "checks": checks,
        "version": settings.APP_VERSION,
    }
    return JsonResponse(body, status=200 if is_healthy else 503)
