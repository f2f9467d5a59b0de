"""Liveness, readiness and figures."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient


@pytest.mark.parametrize("path", ["/health/ready", "/health"])
def test_readiness_names_every_check(guest: TestClient, path: str) -> None:
    answer = guest.get(path)
    assert answer.status_code == 200
    assert answer.json()["checks"] == {"database": "ok", "schema": "ok", "redis": "ok"}
    assert answer.json()["version"] == "v1"


def test_without_redis_it_lives_and_is_not_ready(start: Callable[..., TestClient]) -> None:
    guest = start(redis_url="redis://127.0.0.1:1/0")
    assert guest.get("/health/live").status_code == 200
    answer = guest.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["redis"] == "ConnectionError"


def test_without_its_database_it_lives_and_is_not_ready(start: Callable[..., TestClient]) -> None:
    guest = start(db_port=1)
    assert guest.get("/health/live").status_code == 200
    answer = guest.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "OperationalError"
    assert "devpass" not in answer.text


@pytest.mark.parametrize(("revision", "status"), [("0001", 200), ("from-a-newer-release", 200), (None, 503)])
def test_readiness_knows_whether_the_schema_is_new_enough(
    guest: TestClient, migrated: sa.Engine, revision: str | None, status: int
) -> None:
    with migrated.begin() as connection:
        before = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()
        connection.execute(sa.text("DELETE FROM alembic_version"))
        if revision is not None:
            connection.execute(sa.text("INSERT INTO alembic_version VALUES (:it)"), {"it": revision})
    try:
        assert guest.get("/health/ready").status_code == status
    finally:
        with migrated.begin() as connection:
            connection.execute(sa.text("DELETE FROM alembic_version"))
            connection.execute(sa.text("INSERT INTO alembic_version VALUES (:it)"), {"it": before})


def test_figures_name_routes_and_not_paths(guest: TestClient) -> None:
    guest.get("/api/posts/4711")
    guest.get("/no/such/path")
    figures = guest.get("/metrics").text
    assert 'community_requests_total{method="GET",route="/api/posts/{post_id}",status="404"}' in figures
    assert 'route="none",status="404"' in figures
    assert "4711" not in figures


def test_only_named_origins_may_ask_from_a_browser(guest: TestClient) -> None:
    for origin, allowed in (("http://testserver", "http://testserver"), ("https://evil.example", None)):
        answer = guest.get("/api/version", headers={"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == allowed
