"""Headers that every answer carries, so that a probe or a log line can be tied to a release and a request."""

from collections.abc import Callable
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class ReleaseHeaders:
    """Add X-Request-ID, X-App-Version and the content security policy."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["X-Request-ID"] = _request_id(request)
        response["X-App-Version"] = settings.APP_VERSION
        response.setdefault("Content-Security-Policy", settings.CONTENT_SECURITY_POLICY)
        return response


def _request_id(request: HttpRequest) -> str:
    given = request.headers.get("X-Request-ID", "")
    return given if 0 < len(given) <= 64 and given.replace("-", "").isalnum() else uuid4().hex
