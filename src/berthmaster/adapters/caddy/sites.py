"""The part of the edge that serves the files of sites, behind the router.

The router says in `X-Site` which folder (`shop-prod/r7/web`) and in `X-Site-Stack` whose assets of
other releases may be used. A hashed asset is never answered with `index.html`: a browser would
cache the page as a script.
"""

from pathlib import Path
from typing import Any, Final

# Names that build tools derive from the content (the same rule as the pool of assets is filled by):
# eight characters and more in a folder of assets, elsewhere with a digit or a capital among them.
_IN_ASSETS: Final = r"/(?:assets|static|_next)/(?:.*[/.-])?[\w-]{8,}(?:\.\w+)*\.\w+$"
_BY_NAME: Final = r"[.-][\w-]{8,}(?:\.\w+)*\.\w+$"
_WORDS: Final = r"/[^/0-9A-Z]*\.[a-z]+[0-9]*$"
_PAGES: Final = ["*.html", "*.htm"]
_SITE: Final = "{http.request.header.X-Site}"
_STACK: Final = "{http.request.header.X-Site-Stack}"
_TRIES: Final = [
    "{http.request.uri.path}",
    "{http.request.uri.path}/index.html",
    "/index.html",
]
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
            {"match": _hashed(), "handle": [_answer(404)], "terminal": True},
            _file(own, ["{http.request.uri.path}"], {"path": ["/assets/*", "*/assets/*"]}),
            {
                "match": [{"path": ["/assets/*", "*/assets/*"]}],
                "handle": [_answer(404)],
                "terminal": True,
            },
            _file(own, _TRIES, {}),
            {"handle": [_answer(404)]},
        ],
    }


def _asset(root: str) -> dict[str, Any]:
    there = {"root": root, "try_files": ["{http.request.uri.path}"]}
    handle = [_cache("public, max-age=31536000, immutable"), _serve(root)]
    return {"match": _hashed(file=there), "handle": handle, "terminal": True}


def _file(root: str, tries: list[str], only: dict[str, Any]) -> dict[str, Any]:
    """The file, a folder's index, or the app's page: a client-side router knows the rest."""
    handle = [
        {"handler": "rewrite", "uri": "{http.matchers.file.relative}"},
        _cache("no-cache"),
        _serve(root),
    ]
    match = {**only, "file": {"root": root, "try_files": tries}}
    return {"match": [match], "handle": handle, "terminal": True}


def _hashed(**also: Any) -> list[dict[str, Any]]:
    words = {"path_regexp": {"pattern": _WORDS}}
    pages = {"path": _PAGES}
    return [
        {"path_regexp": {"pattern": _IN_ASSETS}, "not": [pages], **also},
        {"path_regexp": {"pattern": _BY_NAME}, "not": [pages, words], **also},
    ]


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
