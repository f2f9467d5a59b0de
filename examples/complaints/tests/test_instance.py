"""What an instance refuses to start with, its schema, its health, and its commands."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import PASSWORD, Browser

from cms import __main__ as command
from cms.core import schema
from cms.core.settings import BadSettings, Settings, read_settings

GOOD = {
    "PUBLIC_URL": "https://acme.example.com",
    "DB_PASSWORD": "d" * 24,
    "JWT_SECRET": "j" * 64,
    "ADMIN_EMAIL": "Admin@Example.com",
    "ADMIN_PASSWORD": "Correct-horse-7",
}


def problems(**changed: str) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        read_settings({**GOOD, **changed})
    return caught.value.problems


def test_one_message_names_every_problem() -> None:
    with pytest.raises(BadSettings) as caught:
        read_settings({"PORT": "http", "JWT_SECRET": "change-me-please", "ADMIN_EMAIL": "x", "PUBLIC_URL": "acme"})
    assert str(caught.value).splitlines() == [
        "config: 6 problems, nothing was started",
        "  - PORT must be a number from 1 to 65535",
        "  - DB_PASSWORD is empty",
        "  - ADMIN_EMAIL is no address",
        "  - ADMIN_EMAIL needs ADMIN_PASSWORD",
        "  - JWT_SECRET is a placeholder",
        "  - PUBLIC_URL must be https:// and the host that people type",
    ]


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("APP_ENV", "prod", "APP_ENV must be development or production"),
        ("DB_PASSWORD", "devpass", "DB_PASSWORD is a placeholder"),
        ("DB_PASSWORD", "x" * 11, "DB_PASSWORD is shorter than 12 characters"),
        ("JWT_SECRET", "x" * 31, "JWT_SECRET is shorter than 32 characters"),
        ("DB_SSLMODE", "on", "DB_SSLMODE must be one of disable, prefer, require, verify-ca, verify-full"),
        ("DB_SSLMODE", "verify-full", "DB_SSLMODE=verify-full needs DB_SSLROOTCERT"),
        ("DB_CONNECTIONS", "0", "DB_CONNECTIONS must be a number from 1 to 100"),
        ("PUBLIC_URL", "http://acme.example.com", "PUBLIC_URL must be https:// (http:// is for localhost only)"),
        ("PUBLIC_URL", "https://[x", "PUBLIC_URL is no address"),
        ("PUBLIC_URL", "https://acme.example.com/app", "PUBLIC_URL must be https:// and the host that people type"),
        ("JWT_SECRET_FILE", "/nowhere", "JWT_SECRET and JWT_SECRET_FILE are both set; keep one"),
    ],
)
def test_each_bad_value_is_named_and_never_shown(name: str, value: str, problem: str) -> None:
    assert problems(**{name: value}) == [problem]


def test_a_secret_is_not_used_twice() -> None:
    assert problems(DB_PASSWORD="j" * 64) == ["JWT_SECRET is used for something else too"]


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    (tmp_path / "jwt").write_text("s" * 64 + "\n")
    values = {name: value for name, value in GOOD.items() if name != "JWT_SECRET"}
    found = read_settings({**values, "JWT_SECRET_FILE": str(tmp_path / "jwt")})
    assert found.jwt_secret == "s" * 64
    assert found.admin_email == "admin@example.com"
    assert not any(value in repr(found) for value in (found.jwt_secret, found.db_password, found.admin_password))
    with pytest.raises(BadSettings, match="JWT_SECRET_FILE cannot be read: No such file"):
        read_settings({**values, "JWT_SECRET_FILE": str(tmp_path / "gone")})


def test_development_and_loopback_are_let_off() -> None:
    assert read_settings({"APP_ENV": "development", "DB_PASSWORD": "x", "JWT_SECRET": "x"}).public_url == ""
    assert not read_settings({**GOOD, "PUBLIC_URL": "http://localhost:8100"}).is_secure


@pytest.fixture
def database(migrated: Settings) -> Any:
    """A database of its own."""
    with schema.connect(migrated) as connection:
        connection.execute("DROP DATABASE IF EXISTS other WITH (FORCE)")
        connection.execute("CREATE DATABASE other")
        yield replace(migrated, db_name="other")
        connection.execute("DROP DATABASE other WITH (FORCE)")


def test_migrating_twice_is_migrating_once(database: Settings) -> None:
    with schema.connect(database) as connection:
        assert schema.problem_or_none(connection) == "not migrated"
        assert schema.migrate(database) == ["0001_start"]
        assert schema.problem_or_none(connection) is None
    assert schema.migrate(database) == []


def test_a_failed_migration_leaves_nothing_of_itself(database: Settings, tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (n int); INSERT INTO a VALUES (1);")
    (tmp_path / "0002_b.sql").write_text("ALTER TABLE a ADD COLUMN m int; UPDATE a SET m = 'x'::int;")
    with pytest.raises(schema.MigrationFailed, match="0002_b failed, nothing of it stays: invalid input syntax"):
        schema.migrate(database, tmp_path)
    with schema.connect(database) as connection:
        assert connection.execute("SELECT * FROM a").fetchall() == [(1,)]
        assert connection.execute("SELECT name FROM schema_migrations").fetchall() == [("0001_a",)]
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (n bigint);")
    with pytest.raises(schema.MigrationFailed, match="0001_a was changed after it had been applied"):
        schema.migrate(database, tmp_path)


def test_ready_says_what_is_missing(start: Callable[..., Browser], sql: Any) -> None:
    good = start()
    assert good.get("/health/ready").json() == {
        "status": "healthy",
        "database": "ok",
        "migrations": "ok",
        "version": "v1",
    }
    sql("DELETE FROM schema_migrations")
    answer = good.get("/health/ready")
    assert (answer.status_code, answer.json()["migrations"]) == (503, "lacks 0001_start")
    sql("INSERT INTO schema_migrations (name, digest) VALUES ('0001_start', 'x'), ('0009_later', 'x')")
    assert "was changed" in good.get("/health/ready").json()["migrations"]
    sql("UPDATE schema_migrations SET digest = %s WHERE name = '0001_start'", schema.migrations()[0].digest)
    assert good.get("/health/ready").status_code == 200  # newer than the code: what a rollback finds


def test_without_a_database_it_lives_and_is_not_ready(start: Callable[..., Browser]) -> None:
    alone = start(db_port=1, db_connections=1)
    assert alone.get("/health/live").json() == {"status": "alive"}
    answer = alone.get("/health/ready")
    assert (answer.status_code, answer.json()["database"]) == (503, "PoolTimeout")
    assert alone.get("/version").json() == {"version": "v1", "client": "Acme Bank", "environment": "development"}


def test_every_answer_says_its_release_and_is_framed_by_nobody(guest: Browser) -> None:
    for path in ("/", "/static/app.js", "/version", "/nowhere"):
        headers = guest.get(path).headers
        assert headers["X-App-Version"] == "v1"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert guest.get("/").headers["Cache-Control"] == "no-store"
    assert guest.get("/static/app.js").headers["Cache-Control"] == "no-cache"


@pytest.fixture
def run(
    sql: Any, migrated: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run a command of the container with the variables that it would have."""
    variables = {
        "APP_ENV": "development",
        "DB_HOST": migrated.db_host,
        "DB_PORT": str(migrated.db_port),
        "DB_PASSWORD": migrated.db_password,
        "JWT_SECRET": migrated.jwt_secret,
        "ADMIN_EMAIL": migrated.admin_email,
        "ADMIN_PASSWORD": PASSWORD,
    }

    def begin(*arguments: str, **changed: str) -> tuple[int, str]:
        for name, value in {**variables, **changed}.items():
            monkeypatch.setenv(name, value)
        code = command.main(list(arguments))
        said = capsys.readouterr()
        return code, (said.out + said.err).strip()

    return begin


def test_migrate_makes_the_first_administrator_once(run: Callable[..., tuple[int, str]], guest: Browser) -> None:
    assert run("migrate") == (0, "migrate: nothing to do; made the first administrator")
    assert run("migrate") == (0, "migrate: nothing to do")
    assert run("migrate", ADMIN_EMAIL="", ADMIN_PASSWORD="") == (0, "migrate: nothing to do")
    answer = guest.post("/auth/login", json={"email": "admin@example.com", "password": PASSWORD})
    assert answer.json()["role"] == "system_administrator"


def test_seed_adds_what_is_missing(run: Callable[..., tuple[int, str]], sql: Any, guest: Browser) -> None:
    assert run("seed") == (0, "seed: 4 people (cora@example.com, ...), 3 new complaints")
    assert run("seed", "--bad-account")[1].endswith("1 new complaints")
    assert sql("SELECT count(*) FROM complaint_events") == [(4,)]
    assert guest.post("/auth/login", json={"email": "mona@example.com", "password": PASSWORD}).status_code == 200


def test_a_command_says_what_is_wrong_and_ends(run: Callable[..., tuple[int, str]]) -> None:
    assert run("check-config") == (0, "config: good for development")
    assert run("serve", JWT_SECRET="") == (2, "config: 1 problem, nothing was started\n  - JWT_SECRET is empty")
    code, said = run("migrate", JWT_SECRET="x", DB_PASSWORD="wrong")
    assert code == 1
    assert "authentication failed" in said


def test_serve_listens_with_one_process(run: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr("uvicorn.run", lambda app, **options: given.update(options))
    assert run("serve", PORT="8123")[0] == 0
    assert (given["host"], given["port"], given["proxy_headers"]) == ("0.0.0.0", 8123, False)
