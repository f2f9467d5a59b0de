"""The three cookies of a session.

`cms_access` is a JWT for minutes and `cms_refresh` a random word for days, both HttpOnly; the refresh word is exchanged
at each use, and one that comes back after it was exchanged ends the session, because somebody has a copy. `cms_csrf`
is readable by the page, which repeats it in a header: another site can make a browser send cookies, but not read them.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from fastapi import Response

from cms.core.settings import Settings

ACCESS: Final = "cms_access"
REFRESH: Final = "cms_refresh"
CSRF: Final = "cms_csrf"
_ALGORITHM: Final = "HS256"


def set_cookies(response: Response, settings: Settings, user_id: int, session_id: str, word: str) -> None:
    """Give a browser all three."""
    days = settings.refresh_days * 86400
    kept: dict[str, Any] = {"samesite": "strict", "secure": settings.is_secure}
    access = make_access(settings, user_id, session_id)
    response.set_cookie(ACCESS, access, max_age=settings.access_minutes * 60, httponly=True, **kept)
    response.set_cookie(REFRESH, f"{session_id}.{word}", max_age=days, httponly=True, path="/auth", **kept)
    response.set_cookie(CSRF, csrf_of(settings, session_id), max_age=days, **kept)


def delete_cookies(response: Response) -> None:
    """Take them back."""
    response.delete_cookie(ACCESS)
    response.delete_cookie(REFRESH, path="/auth")
    response.delete_cookie(CSRF)


def make_access(settings: Settings, user_id: int, session_id: str) -> str:
    """A signed token for one session."""
    now = datetime.now(UTC)
    claims = {
        "sub": str(user_id),
        "sid": session_id,
        "iat": now,
        "exp": now + timedelta(minutes=settings.access_minutes),
    }
    return jwt.encode(claims, settings.jwt_secret, _ALGORITHM)


def session_id_or_none(settings: Settings, token: str) -> str | None:
    """Whose session it is; None when it is forged or too old."""
    try:
        claims = jwt.decode(token, settings.jwt_secret, [_ALGORITHM], options={"require": ["exp", "sub", "sid"]})
    except jwt.InvalidTokenError:
        return None
    return str(claims["sid"])


def csrf_of(settings: Settings, session_id: str) -> str:
    """The word that goes with a session; of no use with another."""
    return hmac.new(settings.jwt_secret.encode(), f"csrf {session_id}".encode(), hashlib.sha256).hexdigest()


def make_word() -> str:
    """A new refresh word."""
    return secrets.token_urlsafe(32)


def digest_of(word: str) -> bytes:
    """What the database keeps of it."""
    return hashlib.sha256(word.encode()).digest()
