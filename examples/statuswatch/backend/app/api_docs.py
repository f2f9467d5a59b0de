"""The API's description (OpenAPI 3), and a page of it that needs no script."""

import json
from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer

from app import urls, urls_public

METHODS = ("get", "post", "put", "patch", "delete")


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """Answer the description of this host's API as JSON."""
    return HttpResponse(json.dumps(_described(_urlconf(request))), content_type=OpenApiJsonRenderer.media_type)


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show it to people."""
    described = _described(_urlconf(request))
    groups: dict[str, list[dict[str, object]]] = {}
    for path, item in described["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                entry = {
                    "method": method.upper(),
                    "path": path,
                    "summary": operation.get("summary") or operation.get("description", "").partition("\n")[0],
                    "fields": _fields(described, operation),
                    "codes": sorted(operation.get("responses", {})),
                }
                groups.setdefault(str(operation["tags"][0]), []).append(entry)
    return render(request, "api_docs.html", {"groups": sorted(groups.items()), "info": described["info"]})


def _urlconf(request: HttpRequest) -> str:
    return urls_public.__name__ if getattr(request, "urlconf", None) == urls_public.__name__ else urls.__name__


@cache
def _described(urlconf: str) -> dict[str, dict[str, dict[str, object]]]:
    return json.loads(
        OpenApiJsonRenderer().render(SchemaGenerator(urlconf=urlconf).get_schema(request=None, public=True))
    )


def _fields(described: dict[str, dict[str, object]], operation: dict[str, object]) -> list[tuple[str, str]]:
    """Return what a request's body holds, a star behind what must be there."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    found = described["components"].get("schemas", {}).get(name, {})
    required = set(found.get("required", []))
    return [
        (f"{field}{'*' if field in required else ''}", str(spec.get("type", "")))
        for field, spec in found.get("properties", {}).items()
        if not spec.get("readOnly")
    ]
