"""The door of every route: `allow(permission)`. What other modules may know of the person is `User`."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, HTTPException, Request

from cms.auth import sessions, tokens
from cms.core.database import Database, Here
from cms.core.roles import Permission, Role, is_granted

SAFE: Final = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    id: int
    email: str
    name: str
    role: Role
    session_id: str

    def can(self, permission: Permission) -> bool:
        """Whether the table grants it."""
        return is_granted(self.role, permission)


def _signed_in(request: Request, settings: Here, database: Database) -> User:
    session_id = tokens.session_id_or_none(settings, request.cookies.get(tokens.ACCESS, ""))
    row = sessions.find_or_none(database, session_id) if session_id else None
    if row is None or session_id is None:
        raise HTTPException(401, "Sign in first.")
    if request.method not in SAFE:
        check_csrf(request, tokens.csrf_of(settings, session_id))
    return User(row["user_id"], row["email"], row["name"], Role(row["role"]), session_id)


def check_csrf(request: Request, wanted: str) -> None:
    """Refuse a request that does not repeat the word of its session."""
    if not hmac.compare_digest(request.headers.get("X-CSRF-Token", "").encode(), wanted.encode()):
        raise HTTPException(403, "The request does not come from this page (X-CSRF-Token).")


def allow(permission: Permission) -> Any:
    """A dependency that lets only those in whom the table grants the permission."""

    def check(user: Annotated[User, Depends(_signed_in)]) -> User:
        if not user.can(permission):
            raise HTTPException(403, f"Your role may not {permission}.")
        return user

    check.permission = permission  # type: ignore[attr-defined]  # for /docs and the test that walks all routes
    return Depends(check)


def permission_of(call: Callable[..., Any] | None) -> Permission | None:
    """The permission that a dependency of a route asks for."""
    return getattr(call, "permission", None)
