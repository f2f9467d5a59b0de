"""A view whose module is loaded when it is first asked for: only describing the API needs some libraries."""

from collections.abc import Callable
from importlib import import_module

from django.http import HttpRequest, HttpResponse


def lazily(name: str) -> Callable[[HttpRequest], HttpResponse]:
    """Return a view of `app.api_docs`."""

    def view(request: HttpRequest) -> HttpResponse:
        return getattr(import_module("app.api_docs"), name)(request)

    return view
