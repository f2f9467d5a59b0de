"""What every template may use."""

from django.conf import settings
from django.http import HttpRequest


def release(request: HttpRequest) -> dict[str, str]:
    """Name the release that rendered the page."""
    return {"app_version": settings.APP_VERSION}
