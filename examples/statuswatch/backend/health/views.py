"""Health, readiness, release; and a slow request for tests."""

import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from health import metrics
from health.checks import check_broker, check_database, check_migrations, check_workers, run_checks
from shared.inside import is_inside

LONGEST_SLEEP_SECONDS = 60.0


@never_cache
@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """Say that the process answers, and nothing else."""
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """Say whether database and broker answer; the container healthcheck asks this."""
    return _answer(request, run_checks(check_database, check_broker))


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Say whether this release may take requests: also that no migration of it is missing.

    Without a worker it is degraded and takes them all the same: a release gets its workers after it is ready, so one
    that waited for them could never start. `?require=workers` wants them too, once it runs.
    """
    checks = run_checks(check_database, check_broker, check_migrations, check_workers)
    optional = frozenset[str]() if request.GET.get("require") == "workers" else frozenset({"workers"})
    return _answer(request, checks, optional)


@never_cache
@require_safe
def prometheus(request: HttpRequest) -> HttpResponse:
    """Answer the figures to those inside, 404 to all others."""
    if not is_inside(request):
        return JsonResponse({"detail": "not found"}, status=404)
    return HttpResponse(metrics.render(), content_type=metrics.CONTENT_TYPE)


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


def _answer(request: HttpRequest, checks: dict[str, str], optional: frozenset[str] = frozenset()) -> JsonResponse:
    """Answer the verdict; the single results, which may name tenants, only to those inside."""
    failed = {name for name, result in checks.items() if result != "ok"}
    is_usable = failed <= optional
    status = "unhealthy" if not is_usable else "degraded" if failed else "healthy"
    body: dict[str, object] = {"status": status, "version": settings.APP_VERSION}
    if is_inside(request):
        body["checks"] = checks
    return JsonResponse(body, status=200 if is_usable else 503)
