"""The application on a real PostgreSQL, emptied before each test, and a browser for each role."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from cms.app import create_app
from cms.auth import passwords, tokens
from cms.core import schema
from cms.core.roles import Role
from cms.core.settings import Settings

PASSWORD = "Correct-horse-7"
_HASHED: list[str] = []  # Argon2 is slow on purpose, so once


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Settings that reach the throw-away container of ./test."""
    return Settings(
        environment="development",
        version="v1",
        client="Acme Bank",
        public_url="http://testserver",
        db_host="127.0.0.1",
        db_port=int(os.environ["TEST_POSTGRES_PORT"]),
        db_password="devpass",
        jwt_secret="a-secret-of-tests-with-more-than-32-characters",
        admin_email="admin@example.com",
        admin_password=PASSWORD,
    )


@pytest.fixture(scope="session")
def migrated(settings: Settings) -> Settings:
    """A database that the migrations made."""
    with schema.connect(settings, 10) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    schema.migrate(settings)
    return settings


@pytest.fixture
def sql(migrated: Settings) -> Iterator[Callable[..., list[Any]]]:
    """Ask the empty database itself."""
    with psycopg.connect(**migrated.dsn, autocommit=True) as connection:  # type: ignore[arg-type]
        connection.execute("TRUNCATE users, sessions, complaints, complaint_events RESTART IDENTITY CASCADE")

        def ask(statement: str, *values: Any) -> list[Any]:
            result = connection.execute(statement.encode(), values)
            return result.fetchall() if result.description else []

        yield ask


class Browser(TestClient):
    """Keeps cookies and repeats the CSRF word, as the page does."""

    def request(self, method: Any, url: Any, **options: Any) -> Any:
        headers = {"X-CSRF-Token": self.cookies.get(tokens.CSRF, ""), **(options.pop("headers", None) or {})}
        return super().request(method, url, headers=headers, **options)


@pytest.fixture
def start(sql: Any, migrated: Settings) -> Iterator[Callable[..., Browser]]:
    """Start the application, with some settings of its own."""
    running: list[Browser] = []

    def begin(**changed: Any) -> Browser:
        client = Browser(create_app(replace(migrated, **changed)))
        client.__enter__()
        running.append(client)
        return client

    yield begin
    for client in running:
        client.__exit__(None, None, None)


@pytest.fixture
def guest(start: Callable[..., Browser]) -> Browser:
    """Somebody who has not signed in."""
    return start()


@pytest.fixture
def become(guest: Browser, sql: Any) -> Callable[..., Browser]:
    """Sign in as somebody of a role, on the application of `guest`."""

    def sign_in(role: Role, name: str = "") -> Browser:
        name = name or role.value
        if not _HASHED:
            _HASHED.append(passwords.hash_password(PASSWORD))
        insert = "INSERT INTO users (email, name, password_hash, role) VALUES (%s, %s, %s, %s)"
        sql(insert, f"{name}@example.com", name, _HASHED[0], role.value)
        browser = Browser(guest.app)
        answer = browser.post("/auth/login", json={"email": f"{name}@example.com", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return browser

    return sign_in


@pytest.fixture
def consumer(become: Callable[..., Browser]) -> Browser:
    """Somebody who complains."""
    return become(Role.CONSUMER)


@pytest.fixture
def manager(become: Callable[..., Browser]) -> Browser:
    """Somebody who may do everything with complaints."""
    return become(Role.MANAGER)
