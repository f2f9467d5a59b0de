"""Signing up, in and out."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel

from cms.auth import accounts, passwords, sessions, tokens
from cms.auth.attempts import Attempts
from cms.auth.guard import User, allow, check_csrf
from cms.core.database import Database, Here, Row
from cms.core.roles import GRANTS, Permission, Role

router = APIRouter(prefix="/auth", tags=["auth"])
SignedIn = Annotated[User, allow(Permission.BE_SIGNED_IN)]


class Credentials(BaseModel):
    """Address and password."""

    email: accounts.Email
    password: accounts.Password


class Registration(Credentials):
    """A consumer who opens an account."""

    name: accounts.Name


class PasswordChange(BaseModel):
    """The old one and the new one."""

    old: accounts.Password
    new: accounts.Password


class Me(BaseModel):
    """Who is signed in and what the page may offer them."""

    id: int
    name: str
    email: str
    role: Role
    permissions: list[Permission]


@router.post("/register", status_code=201)
def register(given: Registration, response: Response, settings: Here, database: Database) -> Me:
    """Open a consumer's account. Staff are onboarded by an administrator."""
    row = accounts.make(database, given.email, given.name, given.password, Role.CONSUMER)
    return _begin(response, settings, database, row)


@router.post("/login")
def log_in(given: Credentials, request: Request, response: Response, settings: Here, database: Database) -> Me:
    """Exchange address and password for a session."""
    attempts: Attempts = request.app.state.attempts
    if seconds := attempts.wait_seconds(given.email):
        raise HTTPException(429, f"Too many attempts. Try again in {seconds} s.", {"Retry-After": str(seconds)})
    row = accounts.find_or_none(database, given.email)
    known = row["password_hash"] if row and row["is_active"] else None
    if not passwords.is_password(given.password, known) or row is None:
        attempts.failed(given.email)
        raise HTTPException(401, "Address or password is wrong.")
    return _begin(response, settings, database, row)


@router.post("/refresh")
def refresh(request: Request, response: Response, settings: Here, database: Database) -> Me:
    """Exchange the refresh word for a new one and a new access token."""
    cookie = request.cookies.get(tokens.REFRESH, "")
    check_csrf(request, tokens.csrf_of(settings, cookie.partition(".")[0]))
    found = sessions.rotate_or_none(database, cookie)
    if found is None:
        database.commit()  # an answer that is an error rolls back, and the end of a stolen session must stay
        raise HTTPException(401, "Sign in again.")
    row, word = found
    word = word or cookie.partition(".")[2]
    tokens.set_cookies(response, settings, row["user_id"], str(row["id"]), word)
    return _me(row["user_id"], row)


@router.post("/logout", status_code=204)
def log_out(user: SignedIn, response: Response, database: Database) -> None:
    """End this session."""
    sessions.end(database, user.session_id)
    tokens.delete_cookies(response)


@router.get("/me")
def me(user: SignedIn) -> Me:
    """Who this is."""
    return _me(user.id, {"name": user.name, "email": user.email, "role": user.role})


@router.post("/password", status_code=204)
def change_password(
    given: PasswordChange, user: SignedIn, response: Response, settings: Here, database: Database
) -> None:
    """Set another password; every other session ends."""
    row = accounts.find_or_none(database, user.email)
    if not passwords.is_password(given.old, row["password_hash"] if row else None):
        raise HTTPException(403, "The old password is wrong.")
    accounts.check_password(given.new, user.email.partition("@")[0], user.name)
    accounts.set_password(database, user.id, given.new)
    tokens.set_cookies(response, settings, user.id, *sessions.begin(database, user.id, settings.refresh_days))


def _begin(response: Response, settings: Here, database: Database, row: Row) -> Me:
    tokens.set_cookies(response, settings, row["id"], *sessions.begin(database, row["id"], settings.refresh_days))
    return _me(row["id"], row)


def _me(user_id: int, row: Row) -> Me:
    role = Role(row["role"])
    granted = [permission for permission, roles in GRANTS.items() if role in roles]
    return Me(id=user_id, name=row["name"], email=row["email"], role=role, permissions=granted)
