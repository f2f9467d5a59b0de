"""Stage and prod refuse what is not safe, dev starts with little, and no message holds a value."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from community.__main__ import main
from community.settings import Settings, is_placeholder, problems_of

GOOD: dict[str, Any] = {
    "app_env": "prod",
    "jwt_secret": "k" * 32,
    "allowed_origins": "https://community.example.com",
    "db_password": "s0mething-long",
    "db_sslmode": "verify-full",
    "db_sslrootcert": "/run/secrets/db_ca",
    "redis_url": "redis://redis:6379/0",
}


def problems(**changed: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings(**{**GOOD, **changed})
    return "\n".join(problems_of(caught.value))


def test_good_settings_are_taken() -> None:
    settings = Settings(**GOOD)
    assert settings.allowed_origins == ("https://community.example.com",)
    assert settings.database_url.query["sslmode"] == "verify-full"


@pytest.mark.requirement("R357", "R375")
@pytest.mark.parametrize("mode", ["", "disable", "allow", "prefer", "of course"])
@pytest.mark.parametrize("environment", ["stage", "prod"])
def test_a_database_without_tls_is_refused_outside_of_dev(environment: str, mode: str) -> None:
    assert "DB_SSLMODE must be one of" in problems(app_env=environment, db_sslmode=mode)
    Settings(**{**GOOD, "app_env": "dev", "db_sslmode": "disable"})


@pytest.mark.requirement("R373")
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"jwt_secret": ""}, "JWT_SECRET is empty"),
        ({"jwt_secret": "k" * 31}, "JWT_SECRET is shorter"),
        ({"jwt_secret": "your-super-secret-key-that-should-be-long-and-random"}, "JWT_SECRET is a placeholder"),
        ({"jwt_secret": "CHANGE_ME_TO_SOMETHING_LONG_AND_RANDOM"}, "JWT_SECRET is a placeholder"),
        ({"db_password": ""}, "DB_PASSWORD is empty"),
        ({"db_password": "password"}, "DB_PASSWORD is a placeholder"),
        ({"redis_url": ""}, "REDIS_URL is empty"),
        ({"allowed_origins": ""}, "ALLOWED_ORIGINS is empty"),
        ({"allowed_origins": "https://a.example, *"}, "ALLOWED_ORIGINS must name each"),
        ({"allowed_origins": "https://*.example.com"}, "ALLOWED_ORIGINS must name each"),
        ({"allowed_origins": "http://community.example.com"}, "ALLOWED_ORIGINS must be https"),
        ({"db_conn_lifetime_minutes": 0}, "DB_CONN_LIFETIME_MINUTES"),
        ({"db_max_idle_conns": 11}, "DB_MAX_IDLE_CONNS"),
        ({"db_sslrootcert": None}, "needs DB_SSLROOTCERT"),
        ({"port": 0}, "PORT: "),
        ({"app_env": "production"}, "APP_ENV: "),
    ],
)
def test_prod_refuses_what_is_missing_weak_or_open(changed: dict[str, Any], told: str) -> None:
    assert told in problems(**changed)


@pytest.mark.requirement("R358", "R359")
@pytest.mark.parametrize("environment", ["stage", "prod"])
def test_outside_of_dev_the_schema_changes_by_migrations_only(environment: str) -> None:
    assert Settings(**GOOD).db_schema_mode == "sql"
    assert not Settings(**GOOD).db_allow_destructive_automigrate
    for mode in ("auto", "hybrid"):
        assert "DB_SCHEMA_MODE must be sql" in problems(app_env=environment, db_schema_mode=mode)
    assert "DESTRUCTIVE" in problems(app_env=environment, db_allow_destructive_automigrate=True)


@pytest.mark.requirement("R360")
@pytest.mark.parametrize("environment", ["stage", "prod"])
def test_outside_of_dev_no_root_is_made(environment: str) -> None:
    found = problems(app_env=environment, dev_bootstrap_root=True, dev_root_password="long enough for anybody")
    assert found == "DEV_BOOTSTRAP_ROOT is for dev only"


def test_all_problems_are_told_at_once_and_none_holds_a_value() -> None:
    found = problems(jwt_secret="planted-value-1", db_password="password", db_sslmode="planted-2", port="planted-3")
    assert "planted" not in found
    found = problems(jwt_secret="planted-value-1", db_password="password", db_sslmode="planted-2")
    assert len(found.splitlines()) == 3
    assert "planted" not in found


def test_known_placeholders_are_known_in_any_case() -> None:
    for value in ("Password", "DevRoot123!", "CHANGEME", "change-me-please", "your-secret-key-change-in-production"):
        assert is_placeholder(value)
    assert not is_placeholder("k9Qd_3v")


@pytest.mark.requirement("R375")
def test_the_check_and_the_start_refuse_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**GOOD, "db_sslmode": "disable"}.items():
        monkeypatch.setenv(name.upper(), str(value))
    told = []
    for command in ("check-config", "migrate", "serve"):
        assert main([command]) == 2
        told.append(capsys.readouterr().err)
    assert set(told) == {"config: DB_SSLMODE must be one of require, verify-ca, verify-full\n"}
    monkeypatch.setenv("DB_SSLMODE", "require")
    assert main(["check-config"]) == 0


def test_secrets_come_from_files_of_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jwt_secret").write_text("f" * 40 + "\n")
    monkeypatch.delenv("JWT_SECRET", raising=False)
    values = {name: value for name, value in GOOD.items() if name != "jwt_secret"}
    settings = Settings(_secrets_dir=tmp_path, **values)
    assert settings.jwt_secret.get_secret_value() == "f" * 40
    assert "fff" not in repr(settings)
    assert os.environ.get("JWT_SECRET") is None
