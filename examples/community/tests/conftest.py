"""The API on a real PostgreSQL and Redis, emptied before each test."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from redis import Redis
from starlette.testclient import TestClient

from community import schema
from community.app import create_app
from community.models import Base
from community.settings import Settings

PASSWORD = "a-long-test-password"
ORIGIN = "http://testserver"


@pytest.fixture(scope="session")
def values() -> dict[str, Any]:
    """Settings that reach the throw-away containers of ./test."""
    return {
        "app_env": "dev",
        "app_version": "v1",
        "jwt_secret": "a-secret-of-tests-with-more-than-32-characters",
        "allowed_origins": ORIGIN,
        "db_host": "127.0.0.1",
        "db_port": int(os.environ["TEST_POSTGRES_PORT"]),
        "db_password": "devpass",
        "redis_url": f"redis://127.0.0.1:{os.environ['TEST_REDIS_PORT']}/0",
        "signups_per_10_minutes": 1000,
        "logins_per_5_minutes": 1000,
    }


@pytest.fixture(scope="session")
def migrated(values: dict[str, Any]) -> Iterator[sa.Engine]:
    """A database that the migrations made."""
    settings = Settings(**values)
    engine = sa.create_engine(settings.database_url)
    empty(engine)
    schema.migrate(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def fresh(migrated: sa.Engine, values: dict[str, Any]) -> None:
    """No rows and no keys."""
    tables = ", ".join(Base.metadata.tables)
    with migrated.begin() as connection:
        connection.execute(sa.text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    with Redis.from_url(values["redis_url"]) as redis:
        redis.flushdb()


@pytest.fixture
def start(fresh: None, values: dict[str, Any]) -> Iterator[Callable[..., TestClient]]:
    """Start the application, with some settings of its own."""
    running: list[TestClient] = []

    def begin(**changed: Any) -> TestClient:
        client = TestClient(create_app(Settings(**{**values, **changed})))
        client.__enter__()
        running.append(client)
        return client

    yield begin
    for client in running:
        client.__exit__(None, None, None)


@pytest.fixture
def guest(start: Callable[..., TestClient]) -> TestClient:
    """Somebody without a token."""
    return start()


@pytest.fixture
def join(guest: TestClient) -> Callable[[str], dict[str, str]]:
    """Sign somebody up; gives the headers of their requests."""

    def sign_up(name: str) -> dict[str, str]:
        answer = guest.post("/api/auth/signup", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    return sign_up


def empty(engine: sa.Engine) -> None:
    """Drop everything."""
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
