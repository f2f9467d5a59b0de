"""Releases broken on request: BROKEN=<mode> makes exactly one thing go wrong. Empty in every good release.

Only this module knows the modes; Gunicorn, manage.py, Celery and the settings call its hooks. It must stay importable
without Django, and it must not do anything when BROKEN is empty.
"""

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

MODE = os.environ.get("BROKEN", "")
SECONDS = float(os.environ.get("BROKEN_SECONDS") or 20)
REQUESTS = int(os.environ.get("BROKEN_REQUESTS") or 20)
MEMORY_LIMIT_MB = 2048  # where there is no container limit the server must survive

MODES = {
    "crash_loop": "web ends with exit code 1 before it listens, again and again",
    "never_healthy": "every health path answers 503",
    "healthy_then_dies": "web is good for BROKEN_SECONDS (20), then ends with exit code 1",
    "dies_under_requests": "web ends with exit code 3 at the BROKEN_REQUESTS-th (20th) request of a worker process",
    "wrong_port": "web listens on 9000",
    "error_500": "healthy and ready, but every page answers 500",
    "redirect_loop": "every path but /health/ redirects to itself over https, although the router said it is https",
    "refuses_host": "ALLOWED_HOSTS lacks the public host: 400",
    "listens_on_localhost": "web listens on 127.0.0.1 only: healthy inside, unreachable from outside",
    "out_of_memory": "web takes memory until the container's limit kills it (exit code 137, OOM)",
    "missing_variable": "the release needs REPORTS_BUCKET, which nobody has set",
    "failing_migration": "migrate_schemas ends with exit code 1",
    "hanging_migration": "migrate_schemas never ends",
    "worker_dies": "the worker ends with exit code 1 five seconds after it was ready",
    "beat_dies": "the scheduler ends with exit code 1 five seconds after it started",
    "ignores_sigterm": "web ignores SIGTERM, so a stop takes the whole grace period",
    "exits_zero": "web ends at once with exit code 0",
    "slow_start": "good, but needs BROKEN_SECONDS (20) until it listens",
}
if MODE and MODE not in MODES:
    sys.exit(f"BROKEN={MODE} is unknown; choose one of: {', '.join(MODES)}")

_REQUEST_MODES = frozenset({"never_healthy", "dies_under_requests", "error_500", "redirect_loop"})
_requests = itertools.count(1)  # next() is atomic, so threads may share it


def bind_address(address: str) -> str:
    """Return where Gunicorn shall listen."""
    host, port = address.split(":")
    return {"wrong_port": f"{host}:9000", "listens_on_localhost": f"127.0.0.1:{port}"}.get(MODE, address)


def before_listening() -> None:
    """Break the web process before it binds its socket."""
    if MODE == "crash_loop":
        sys.exit("cannot read the release's feature table")
    if MODE == "exits_zero":
        sys.exit(0)
    if MODE == "slow_start":
        time.sleep(SECONDS)


def when_listening() -> None:
    """Break the web process once it listens."""
    if MODE == "ignores_sigterm":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if MODE == "healthy_then_dies":
        _later(SECONDS, lambda: _die("lost the licence server", 1))
    if MODE == "out_of_memory":
        _later(1, _take_memory)


def when_worker_ready() -> None:
    """Break the Celery worker."""
    if MODE == "worker_dies":
        _later(5, lambda: _die("the worker's model file is damaged", 1))


def when_scheduler_starts() -> None:
    """Break Celery beat."""
    if MODE == "beat_dies":
        _later(5, lambda: _die("the scheduler's calendar is damaged", 1))


def before_command(arguments: list[str]) -> None:
    """Break the migration."""
    if not arguments or arguments[0] != "migrate_schemas":
        return
    if MODE == "failing_migration":
        sys.exit('django.db.utils.ProgrammingError: column "plan" of relation "tenants_client" does not exist')
    if MODE == "hanging_migration":
        print("waiting for a lock on monitors_endpoint", flush=True)
        while True:
            time.sleep(60)


def missing_variables() -> dict[str, bool]:
    """Return what this release needs and nobody set, in the form of the production check."""
    return {"REPORTS_BUCKET is missing": MODE == "missing_variable" and not os.environ.get("REPORTS_BUCKET")}


def middleware() -> list[str]:
    """Return the middleware that a mode needs."""
    return ["app.breakage.BreakageMiddleware"] if MODE in _REQUEST_MODES else []


class BreakageMiddleware:
    """Break requests."""

    def __init__(self, get_response: Callable[["HttpRequest"], "HttpResponse"]) -> None:
        self.get_response = get_response

    def __call__(self, request: "HttpRequest") -> "HttpResponse":
        return _broken_response_or_none(request) or self.get_response(request)


def _broken_response_or_none(request: "HttpRequest") -> "HttpResponse | None":
    from django.http import HttpResponse, HttpResponsePermanentRedirect

    is_health = request.path.startswith("/health/")
    if MODE == "never_healthy" and is_health:
        return HttpResponse("the search index is not loaded", status=503)
    if MODE == "error_500" and not is_health:
        return HttpResponse("Server Error (500)", status=500)
    if MODE == "redirect_loop" and request.path != "/health/":
        return HttpResponsePermanentRedirect(f"https://{request.get_host()}{request.get_full_path()}")
    if MODE == "dies_under_requests" and not is_health:
        _count_request()
    return None


def _count_request() -> None:
    if next(_requests) >= REQUESTS:
        _die("a request freed memory twice", 3)  # 3 makes Gunicorn's master give up too


def _take_memory() -> None:
    taken = []
    for _ in range(MEMORY_LIMIT_MB // 16):
        taken.append(b"x" * (16 << 20))
        time.sleep(0.02)
    _die(f"took {MEMORY_LIMIT_MB} MB and nobody stopped it", 1)


def _later(seconds: float, action: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()


def _die(message: str, code: int) -> NoReturn:
    print(f"fatal: {message}", file=sys.stderr, flush=True)
    os._exit(code)
