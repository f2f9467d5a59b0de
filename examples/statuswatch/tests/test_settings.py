"""Settings are read once per process, so each of these starts one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BACKEND = Path(__file__).parent.parent / "backend"
GOOD = {
    "PATH": os.environ["PATH"],
    "DJANGO_ENV": "production",
    "SECRET_KEY": "k" * 50,
    "POSTGRES_PASSWORD": "planted-database-password",
    "DEFAULT_TENANT_DOMAIN_SUFFIX": "statuswatch.example",
    "ALLOWED_HOSTS": ".statuswatch.example",
}
SHOW = "from app import settings as s; print(%s)"


def read(expression: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SHOW % expression]
    return subprocess.run(command, cwd=BACKEND, env={**GOOD, **environment}, capture_output=True, text=True)


@pytest.mark.requirement("R54")
def test_the_router_default_is_development() -> None:
    assert read("s.DEBUG, s.CELERY_TASK_ALWAYS_EAGER, s.ALLOWED_HOSTS", DJANGO_ENV="development").stdout == (
        "True True ['*']\n"
    )


@pytest.mark.requirement("R44", "R55", "R61", "R62", "R64", "R67")
def test_production_is_hard() -> None:
    expression = (
        "s.DEBUG, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS, s.CSRF_COOKIE_SECURE, s.CELERY_TASK_ALWAYS_EAGER"
    )
    assert read(expression).stdout == "False True 3600 True False\n"


@pytest.mark.requirement("R84")
def test_the_connection_age_is_where_django_reads_it() -> None:
    assert read("s.DATABASES['default']['CONN_MAX_AGE'], hasattr(s, 'CONN_MAX_AGE')").stdout == "600 False\n"


@pytest.mark.requirement("R60")
def test_https_can_be_left_to_nobody_only_on_purpose() -> None:
    assert read("s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS", ENFORCE_HTTPS="false").stdout == "False 0\n"


def test_a_secret_may_come_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("f" * 60 + "\n")
    assert read("s.SECRET_KEY", SECRET_KEY="", SECRET_KEY_FILE=str(tmp_path / "key")).stdout == "f" * 60 + "\n"


@pytest.mark.requirement("R51", "R56", "R57", "R58")
def test_one_message_names_every_problem_and_no_value() -> None:
    result = read(
        "1",
        SECRET_KEY="django-insecure-short",
        POSTGRES_PASSWORD_FILE="/does/not/exist",
        DEBUG="true",
        DEFAULT_TENANT_DOMAIN_SUFFIX="localhost",
        ALLOWED_HOSTS="*.statuswatch.example",
        DB_CONN_MAX_AGE="ten",
        ENFORCE_HTTPS="perhaps",
    )
    assert result.returncode == 1
    message = result.stderr.partition("cannot start in production:\n")[2]
    for part in (
        "at least 50 characters",
        "development key",
        "DEBUG",
        "POSTGRES_PASSWORD_FILE names /does/not/exist",
        "POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE) is missing",
        "must not be localhost",
        "leading dot",
        "DB_CONN_MAX_AGE must be a whole number",
        "ENFORCE_HTTPS must be true or false",
    ):
        assert part in message
    assert "django-insecure-short" not in result.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "POSTGRES_PASSWORD", "DEFAULT_TENANT_DOMAIN_SUFFIX", "ALLOWED_HOSTS"])
def test_what_is_missing_is_named(name: str) -> None:
    assert f"{name}" in read("1", **{name: ""}).stderr


def test_a_release_broken_by_a_missing_variable_says_which() -> None:
    assert "REPORTS_BUCKET is missing" in read("1", BROKEN="missing_variable").stderr


def test_an_unknown_breakage_is_refused() -> None:
    assert "choose one of: crash_loop" in read("1", BROKEN="nonsense").stderr
