"""Headers that every answer carries, so that a probe can tie it to a release."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class ReleaseHeaders:
    """Add X-App-Version and the content security policy."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["X-App-Version"] = settings.APP_VERSION
        response.setdefault("Content-Security-Policy", settings.CONTENT_SECURITY_POLICY)
        return response
