"""What every answer carries, and the first defence against requests that another site makes a browser send."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE: Final = ("GET", "HEAD", "OPTIONS")
LARGEST: Final = 64 * 1024
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class Guarded:
    """Refuse foreign and oversized writes; say which release answered."""

    def __init__(self, app: ASGIApp, version: str, is_secure: bool) -> None:
        self.app = app
        self.headers = {**HEADERS, "X-App-Version": version}
        if is_secure:
            self.headers["Strict-Transport-Security"] = "max-age=3600"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self.headers)
                # The page's files have names that never change: the browser asks each time and gets 304.
                headers.setdefault("Cache-Control", "no-cache" if scope["path"].startswith("/static/") else "no-store")
            await send(message)

        refusal = _refusal_or_none(scope)
        await (refusal or self.app)(scope, receive, send_with_headers)
        return None


def _refusal_or_none(scope: Scope) -> JSONResponse | None:
    if scope["method"] in SAFE:
        return None
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if headers.get("sec-fetch-site") == "cross-site" or (origin and urlsplit(origin).netloc != headers.get("host")):
        return JSONResponse({"detail": "Another site may not do this."}, 403)
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isdigit() or int(length) > LARGEST:
        return JSONResponse({"detail": f"At most {LARGEST // 1024} KiB, and the length said first."}, 413)
    return None
