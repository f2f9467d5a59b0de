"""The part of the edge that serves the files of sites, behind the router.

The router says in `X-Site` which folder (`shop-prod/r7/web`) and in `X-Site-Stack` whose assets of
other releases may be used. A hashed asset is never answered with `index.html`: a browser would
cache the page as a script.
"""

from pathlib import Path
from typing import Any, Final

# Vite, webpack and their kin: `app-B7a9xK2z.js`, `app.3f2a91bc.css`, and all of `/assets/`.
HASHED: Final = r"^/assets/|[.-][0-9A-Za-z_-]{8,}\.[a-z0-9]{2,5}(\.map)?$"
_SITE: Final = "{http.request.header.X-Site}"
_STACK: Final = "{http.request.header.X-Site-Stack}"
_HIDDEN: Final = [".git", ".env"]


def render_server(socket: Path, folder: Path, encode: dict[str, Any]) -> dict[str, Any]:
    """A server on a unix socket that only the router can reach."""
    own, shared = f"{folder}/{_SITE}", f"{folder}/{_STACK}/_assets"
    return {
        "listen": [f"unix/{socket}"],
        "protocols": ["h1"],
        "idle_timeout": "10m",
        "automatic_https": {"disable": True},
        "routes": [
            {
                "match": [{"not": [{"header": {"X-Site": ["*"]}}]}],
                "handle": [_answer(404)],
                "terminal": True,
            },
            {"handle": [encode]},
            _asset(own),
            _asset(shared),
            {"match": [_is_hashed()], "handle": [_answer(404)], "terminal": True},
            _file(own),
            {"handle": [_answer(404)]},
        ],
    }


def _asset(root: str) -> dict[str, Any]:
    there = {"file": {"root": root, "try_files": ["{http.request.uri.path}"]}}
    handle = [_cache("public, max-age=31536000, immutable"), _serve(root)]
    return {"match": [{**_is_hashed(), **there}], "handle": handle, "terminal": True}


def _file(root: str) -> dict[str, Any]:
    """The file, a folder's index, or the app's page: a client-side router knows the rest."""
    tries = ["{http.request.uri.path}", "{http.request.uri.path}/index.html", "/index.html"]
    handle = [
        {"handler": "rewrite", "uri": "{http.matchers.file.relative}"},
        _cache("no-cache"),
        _serve(root),
    ]
    return {
        "match": [{"file": {"root": root, "try_files": tries}}],
        "handle": handle,
        "terminal": True,
    }


def _is_hashed() -> dict[str, Any]:
    return {"path_regexp": {"pattern": HASHED}}


def _cache(value: str) -> dict[str, Any]:
    return {"handler": "headers", "response": {"set": {"Cache-Control": [value]}}}


def _serve(root: str) -> dict[str, Any]:
    return {
        "handler": "file_server",
        "root": root,
        "hide": _HIDDEN,
        "canonical_uris": False,
        "precompressed": {"gzip": {}, "br": {}},
        "precompressed_order": ["br", "gzip"],
    }


def _answer(status: int) -> dict[str, Any]:
    headers = {"Cache-Control": ["no-store"], "Content-Type": ["text/plain; charset=utf-8"]}
    return {
        "handler": "static_response",
        "status_code": status,
        "headers": headers,
        "body": "There is no such file.\n",
    }
