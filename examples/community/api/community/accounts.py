"""Signing up and in."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.concurrency import run_in_threadpool

from community import security
from community.context import Here, Session, SignedIn
from community.limits import check_rate
from community.models import User
from community.settings import Settings

router = APIRouter(prefix="/api/auth")
ROOT = "root"

Name = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[a-zA-Z0-9_]{3,24}$")]


class Credentials(BaseModel):
    """Name and password."""

    name: Name
    password: str = Field(min_length=10, max_length=200)


class Person(BaseModel):
    """A user, as others see them."""

    id: int
    name: str
    is_moderator: bool


class Welcome(BaseModel):
    """A token and whose it is."""

    token: str
    user: Person


@router.post("/signup", status_code=201)
async def sign_up(credentials: Credentials, request: Request, outside: Here, session: Session) -> Welcome:
    """Make an account."""
    await check_rate(outside, request, "signup", outside.settings.signups_per_10_minutes, 600)
    if credentials.name == ROOT:
        raise HTTPException(409, "This name is taken.")
    password_hash = await run_in_threadpool(security.hash_password, credentials.password)
    row = insert(User).values(name=credentials.name, password_hash=password_hash)
    made = await session.scalar(row.on_conflict_do_nothing().returning(User))
    if made is None:
        raise HTTPException(409, "This name is taken.")
    return _welcome(made, outside.settings)


@router.post("/login")
async def log_in(credentials: Credentials, request: Request, outside: Here, session: Session) -> Welcome:
    """Exchange name and password for a token."""
    await check_rate(outside, request, "login", outside.settings.logins_per_5_minutes, 300)
    user = await session.scalar(select(User).where(User.name == credentials.name))
    known = user.password_hash if user else None
    if not await run_in_threadpool(security.is_password, credentials.password, known) or user is None:
        raise HTTPException(401, "Name or password is wrong.")
    return _welcome(user, outside.settings)


@router.get("/me")
async def me(user: SignedIn) -> Person:
    """Whose token this is."""
    return person(user)


async def bootstrap_root(session: AsyncSession, settings: Settings) -> None:
    """Make the moderator `root`, in dev and nowhere else."""
    if settings.app_env != "dev" or not settings.dev_bootstrap_root:
        return
    password_hash = security.hash_password(settings.dev_root_password.get_secret_value())
    row = insert(User).values(name=ROOT, password_hash=password_hash, is_moderator=True)
    await session.execute(row.on_conflict_do_nothing())


def person(user: User) -> Person:
    """A user, as others see them."""
    return Person(id=user.id, name=user.name, is_moderator=user.is_moderator)


def _welcome(user: User, settings: Settings) -> Welcome:
    return Welcome(token=security.make_token(user.id, settings), user=person(user))
