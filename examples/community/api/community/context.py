"""What a request may use: settings, a database session, Redis, and who asks."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.requests import HTTPConnection
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from community import security
from community.models import User
from community.settings import Settings


@dataclass(frozen=True, slots=True)
class Outside:
    """The connections of one process."""

    settings: Settings
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    redis: Redis

    async def close(self) -> None:
        """Give every connection back."""
        await self.redis.aclose()
        await self.engine.dispose()


def open_outside(settings: Settings) -> Outside:
    """Prepare the pools; nothing is dialled before it is needed."""
    engine = create_async_engine(
        settings.database_url,
        pool_size=settings.db_max_idle_conns,
        max_overflow=settings.db_max_open_conns - settings.db_max_idle_conns,
        pool_recycle=settings.db_conn_lifetime_minutes * 60 or -1,
        pool_pre_ping=True,
    )
    redis = Redis.from_url(
        settings.redis_url, decode_responses=True, socket_connect_timeout=2, health_check_interval=15
    )
    return Outside(settings, engine, async_sessionmaker(engine, expire_on_commit=False), redis)


def outside_of(connection: HTTPConnection) -> Outside:
    """The connections of this process."""
    found: Outside = connection.app.state.outside
    return found


async def _session(outside: Annotated[Outside, Depends(outside_of)]) -> AsyncIterator[AsyncSession]:
    async with outside.sessions.begin() as session:
        yield session


Here = Annotated[Outside, Depends(outside_of)]
# NOTE: committed before the answer is sent, so that whoever reads it finds what it wrote.
Session = Annotated[AsyncSession, Depends(_session, scope="function")]


async def _user_or_none(request: Request, outside: Here, session: Session) -> User | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    user_id = security.user_id_or_none(token, outside.settings)
    return await session.get(User, user_id) if user_id is not None else None


async def _user(found: Annotated[User | None, Depends(_user_or_none)]) -> User:
    if found is None:
        raise HTTPException(401, "Sign in first.", {"WWW-Authenticate": "Bearer"})
    return found


Somebody = Annotated[User | None, Depends(_user_or_none)]
SignedIn = Annotated[User, Depends(_user)]
