"""Passwords and tokens."""

import secrets
from datetime import UTC, datetime, timedelta

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from community.settings import Settings

_ALGORITHM = "HS256"
_HASHER = PasswordHasher()
# Checked when nobody has that name, so that the answer takes as long as for a wrong password.
_NOBODY = _HASHER.hash(secrets.token_urlsafe())


def hash_password(password: str) -> str:
    """Return the Argon2id hash."""
    return _HASHER.hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Compare in the same time whether or not there is such a user."""
    try:
        return _HASHER.verify(password_hash or _NOBODY, password) and password_hash is not None
    except (Argon2Error, InvalidHashError):
        return False


def make_token(user_id: int, settings: Settings) -> str:
    """A signed token for one user."""
    now = datetime.now(UTC)
    claims = {"sub": str(user_id), "iat": now, "exp": now + timedelta(minutes=settings.token_minutes)}
    return jwt.encode(claims, settings.jwt_secret.get_secret_value(), _ALGORITHM)


def user_id_or_none(token: str, settings: Settings) -> int | None:
    """Whose token it is; None when it is forged or too old."""
    secret = settings.jwt_secret.get_secret_value()
    try:
        claims = jwt.decode(token, secret, [_ALGORITHM], options={"require": ["exp", "sub"]})
        return int(claims["sub"])
    except (jwt.InvalidTokenError, ValueError):
        return None
