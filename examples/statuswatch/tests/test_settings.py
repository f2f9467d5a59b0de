"""Settings are read once per process, so each of these starts one. The 33 rows of the document's table come first."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BACKEND = Path(__file__).parent.parent / "backend"
SUFFIX = "statuswatch.kontentwave.digital"
BASE = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
GOOD = {
    **BASE,
    "DJANGO_ENV": "production",
    "SECRET_KEY": "k" * 50,
    "POSTGRES_PASSWORD": "planted-database-password",
    "DEFAULT_TENANT_DOMAIN_SUFFIX": SUFFIX,
    "ALLOWED_HOSTS": f".{SUFFIX}",
    "STRIPE_PUBLIC_KEY": "pk_live_1",
    "STRIPE_SECRET_KEY": "sk_live_planted",
    "STRIPE_WEBHOOK_SECRET": "whsec_1",
    "STRIPE_PRO_PRICE_ID": "price_1",
    "EMAIL_HOST": "smtp.sendgrid.net",
    "EMAIL_HOST_USER": "apikey",
    "EMAIL_HOST_PASSWORD": "planted-mail-password",
    "DEFAULT_FROM_EMAIL": f"noreply@{SUFFIX}",
    "SENTRY_DSN": "https://key@sentry.example/1",
}
SHOW = "from app import settings as s; print(%s)"
DUMP = (
    "import json; from app import settings as s;"
    "print(json.dumps({n: getattr(s, n) for n in dir(s) if n.isupper()}, default=str))"
)


def read(expression: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SHOW % expression]
    return subprocess.run(command, cwd=BACKEND, env={**GOOD, **environment}, capture_output=True, text=True)


def dump(environment: dict[str, str]) -> dict[str, object]:
    command = [sys.executable, "-c", DUMP]
    done = subprocess.run(command, cwd=BACKEND, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def development(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return dump({**BASE, "LOG_DIR": str(tmp_path_factory.mktemp("logs"))})


@pytest.fixture(scope="module")
def production() -> dict[str, object]:
    return dump(GOOD)


ROWS = [  # setting, development, production, requirement
    ("DEBUG", True, False, "R55"),
    ("SECRET_KEY", "django-insecure-for-development-only", "k" * 50, "R56"),
    ("DEFAULT_TENANT_DOMAIN_SUFFIX", "localhost", SUFFIX, "R57"),
    ("ALLOWED_HOSTS", ["*"], [f".{SUFFIX}"], "R58"),
    ("CORS_ALLOW_ALL_ORIGINS", False, False, "R59"),
    ("ENFORCE_HTTPS", False, True, "R60"),
    ("SECURE_SSL_REDIRECT", False, True, "R61"),
    ("SECURE_HSTS_SECONDS", 0, 3600, "R62"),
    ("SESSION_COOKIE_SECURE", False, True, "R63"),
    ("CSRF_COOKIE_SECURE", False, True, "R64"),
    ("STRIPE_SECRET_KEY", "", "sk_live_planted", "R65"),
    (
        "EMAIL_BACKEND",
        "django.core.mail.backends.console.EmailBackend",
        "django.core.mail.backends.smtp.EmailBackend",
        "R66",
    ),
    ("CELERY_TASK_ALWAYS_EAGER", True, False, "R67"),
    ("SENTRY_DSN", "", "https://key@sentry.example/1", "R68"),
    ("LOG_LEVEL", "DEBUG", "INFO", "R71"),
    ("FRONTEND_URL", "http://localhost:5173", f"https://{SUFFIX}", "R72"),
    ("CORS_ALLOWED_ORIGINS", [], [f"https://{SUFFIX}"], "R82"),
    (
        "CORS_ALLOWED_ORIGIN_REGEXES",
        [r"^http://([a-z0-9-]+\.)*localhost(:[0-9]+)?$"],
        [r"^https://[a-z0-9-]+\.statuswatch\.kontentwave\.digital$"],
        "R82",
    ),
    (
        "CSRF_TRUSTED_ORIGINS",
        ["http://localhost", "http://*.localhost", "http://localhost:5173", "http://*.localhost:5173"],
        [f"https://{SUFFIX}", f"https://*.{SUFFIX}"],
        "R83",
    ),
]


@pytest.mark.requirement(
    "R44",
    "R55",
    "R56",
    "R57",
    "R58",
    "R59",
    "R60",
    "R61",
    "R62",
    "R63",
    "R64",
    "R65",
    "R66",
    "R67",
    "R68",
    "R71",
    "R72",
    "R82",
    "R83",
)
@pytest.mark.parametrize(
    ("name", "wanted", "environment"),
    [
        pytest.param(row[0], row[column], environment, id=f"{environment}-{row[0]}-{row[3]}")
        for row in ROWS
        for column, environment in ((1, "development"), (2, "production"))
    ],
)
def test_a_setting_has_its_value_in_each_environment(
    name: str, wanted: object, environment: str, request: pytest.FixtureRequest
) -> None:
    assert request.getfixturevalue(environment)[name] == wanted


@pytest.mark.requirement("R70")
def test_only_development_relaxes_the_content_policy(
    development: dict[str, object], production: dict[str, object]
) -> None:
    assert "'unsafe-eval'" in str(development["CONTENT_SECURITY_POLICY"])
    assert "unsafe" not in str(production["CONTENT_SECURITY_POLICY"])
    assert str(production["CONTENT_SECURITY_POLICY"]).startswith("default-src 'none'")


@pytest.mark.requirement("R71")
def test_development_logs_to_console_and_file_production_to_one_place(
    development: dict[str, object], production: dict[str, object], tmp_path: Path
) -> None:
    assert development["LOGGING"]["root"] == {"handlers": ["console", "file"], "level": "DEBUG"}
    assert production["LOGGING"]["root"] == {"handlers": ["console"], "level": "INFO"}
    with_file = dump({**GOOD, "LOG_TO_FILE": "1", "LOG_DIR": str(tmp_path)})
    assert with_file["LOGGING"]["root"] == {"handlers": ["file"], "level": "INFO"}


@pytest.mark.requirement("R79", "R177")
def test_a_log_file_rotates_itself(tmp_path: Path) -> None:
    file = dump({**GOOD, "LOG_TO_FILE": "1", "LOG_DIR": str(tmp_path)})["LOGGING"]["handlers"]["file"]
    assert (file["maxBytes"], file["backupCount"]) == (10_000_000, 5)
    assert file["filename"] == f"{tmp_path}/statuswatch.log"


@pytest.mark.requirement("R75", "R77", "R169")
def test_the_database_is_postgresql_in_both_and_uploads_lie_on_disk(
    development: dict[str, object], production: dict[str, object]
) -> None:
    for found in (development, production):
        assert found["DATABASES"]["default"]["ENGINE"] == "django_tenants.postgresql_backend"
        assert found["STORAGES"]["default"]["BACKEND"].endswith("FileSystemStorage")
    url = dump({**GOOD, "DATABASE_URL": "postgresql://me:p%40ss@db:5433/dj01"})["DATABASES"]["default"]
    assert {name: url[name] for name in ("HOST", "PORT", "NAME", "USER", "PASSWORD")} == {
        "HOST": "db",
        "PORT": 5433,
        "NAME": "dj01",
        "USER": "me",
        "PASSWORD": "p@ss",
    }


@pytest.mark.requirement("R76", "R91", "R176")
def test_redis_has_broker_results_and_cache_apart(
    development: dict[str, object], production: dict[str, object]
) -> None:
    names = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")
    for found in (development, production):
        assert [found[name] for name in names] == ["redis://redis:6379/0", "redis://redis:6379/1"]
    other = dump({**GOOD, "REDIS_URL": "redis://elsewhere:6379/0"})
    assert [other[name] for name in names] == ["redis://elsewhere:6379/0", "redis://elsewhere:6379/1"]
    assert other["CACHES"]["default"]["LOCATION"] == "redis://elsewhere:6379/2"


@pytest.mark.requirement("R78")
def test_static_files_are_djangos_on_a_laptop_and_whitenoises_else(
    development: dict[str, object], production: dict[str, object]
) -> None:
    assert development["STORAGES"]["staticfiles"]["BACKEND"].startswith("django.")
    assert production["STORAGES"]["staticfiles"]["BACKEND"].startswith("whitenoise.")


@pytest.mark.requirement("R81")
def test_logins_are_limited_in_production_only(development: dict[str, object], production: dict[str, object]) -> None:
    assert development["REST_FRAMEWORK"]["DEFAULT_THROTTLE_RATES"]["login"] is None
    assert production["REST_FRAMEWORK"]["DEFAULT_THROTTLE_RATES"]["login"] == "10/hour"


@pytest.mark.requirement("R84")
def test_the_connection_age_is_where_django_reads_it(
    development: dict[str, object], production: dict[str, object]
) -> None:
    assert development["DATABASES"]["default"]["CONN_MAX_AGE"] == 0
    assert production["DATABASES"]["default"]["CONN_MAX_AGE"] == 600
    assert "CONN_MAX_AGE" not in production


@pytest.mark.requirement("R85")
def test_a_live_key_is_refused_on_a_laptop_and_a_test_key_in_production() -> None:
    assert (
        "test keys only" in read("1", DJANGO_ENV="development", STRIPE_SECRET_KEY="sk_live_1", LOG_TO_FILE="0").stderr
    )
    assert "STRIPE_SECRET_KEY must begin with sk_live_" in read("1", STRIPE_SECRET_KEY="sk_test_1").stderr
    rehearsal = {"STRIPE_TEST_MODE": "true", "STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_PUBLIC_KEY": "pk_test_1"}
    assert read("1", **rehearsal).stdout == "1\n"
    assert "must begin with sk_test_" in read("1", STRIPE_TEST_MODE="true").stderr


@pytest.mark.requirement("R54")
@pytest.mark.parametrize(
    ("value", "debug"), [("", "True"), ("development", "True"), ("staging", "True"), ("production", "False")]
)
def test_the_router_takes_production_only_when_it_is_named(value: str, debug: str) -> None:
    assert read("s.DEBUG", DJANGO_ENV=value, STRIPE_SECRET_KEY="", STRIPE_PUBLIC_KEY="", LOG_TO_FILE="0").stdout == (
        f"{debug}\n" if value != "production" else ""
    )


@pytest.mark.requirement("R60")
def test_https_can_be_left_to_nobody_only_on_purpose() -> None:
    assert read("s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS", ENFORCE_HTTPS="false").stdout == "False 0\n"


@pytest.mark.requirement("R62", "R171")
def test_preloading_waits_until_the_year_is_set() -> None:
    assert "SECURE_HSTS_PRELOAD needs" in read("1", SECURE_HSTS_PRELOAD="true").stderr
    year = {"SECURE_HSTS_PRELOAD": "true", "SECURE_HSTS_SECONDS": "31536000"}
    assert read("s.SECURE_HSTS_SECONDS", **year).stdout == "31536000\n"


def test_a_secret_may_come_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("f" * 60 + "\n")
    assert read("s.SECRET_KEY", SECRET_KEY="", SECRET_KEY_FILE=str(tmp_path / "key")).stdout == "f" * 60 + "\n"


WRONG = {  # what the message must say -> the variable that is wrong
    "at least 50 characters": {"SECRET_KEY": "django-insecure-short"},
    "development key": {"SECRET_KEY": "django-insecure-short"},
    "DEBUG must not be on": {"DEBUG": "true"},
    "POSTGRES_PASSWORD_FILE names /does/not/exist": {"POSTGRES_PASSWORD_FILE": "/does/not/exist"},
    "must not be localhost": {"DEFAULT_TENANT_DOMAIN_SUFFIX": "localhost"},
    "leading dot": {"ALLOWED_HOSTS": f"*.{SUFFIX}"},
    "CORS_ALLOWED_ORIGINS must not hold '*'": {"CORS_ALLOWED_ORIGINS": f"https://*.{SUFFIX}"},
    "take origins like https://name": {"CSRF_TRUSTED_ORIGINS": SUFFIX},
    "FRONTEND_URL must begin with https://": {"FRONTEND_URL": f"http://{SUFFIX}"},
    "DB_CONN_MAX_AGE must be a whole number": {"DB_CONN_MAX_AGE": "ten"},
    "ENFORCE_HTTPS must be true or false": {"ENFORCE_HTTPS": "perhaps"},
    "SENTRY_TRACES_SAMPLE_RATE must be a number from 0 to 1": {"SENTRY_TRACES_SAMPLE_RATE": "2"},
    "STRIPE_PUBLIC_KEY must begin with pk_live_": {"STRIPE_PUBLIC_KEY": "sk_live_planted"},
    "STRIPE_WEBHOOK_SECRET must begin with whsec_": {"STRIPE_WEBHOOK_SECRET": "planted"},
    "STRIPE_PRO_PRICE_ID must begin with price_": {"STRIPE_PRO_PRICE_ID": "prod_1"},
    "STRIPE_API_BASE needs STRIPE_TEST_MODE=true": {"STRIPE_API_BASE": "http://stripe:8420"},
    "SENTRY_DSN must read": {"SENTRY_DSN": "planted"},
    "SECURE_PROXY_SSL_HEADER must name": {"SECURE_PROXY_SSL_HEADER": "HTTP_X_FORWARDED_PROTO"},
    "LOG_TO_FILE needs a folder /does/not/exist": {"LOG_TO_FILE": "1", "LOG_DIR": "/does/not/exist"},
}


@pytest.mark.requirement("R51", "R56", "R58", "R65")
def test_one_message_names_every_problem_and_no_value() -> None:
    variables = {name: value for wrong in WRONG.values() for name, value in wrong.items()}
    result = read("1", **variables)
    assert result.returncode == 1
    message = result.stderr.partition("cannot start in production:\n")[2]
    assert [part for part in WRONG if part not in message] == []
    assert "django-insecure-short" not in result.stderr
    assert "planted" not in result.stderr


@pytest.mark.parametrize(
    "name",
    [name for name in GOOD if name not in {*BASE, "DJANGO_ENV", "EMAIL_HOST_USER"}],
)
def test_what_is_missing_is_named(name: str) -> None:
    assert f"  - {name}" in read("1", **{name: ""}).stderr


@pytest.mark.parametrize("url", ["postgresql://u:devpass@db/dj01", "mysql://u:p@db/dj01", "postgresql://u:p@db:x/dj01"])
def test_a_bad_database_url_is_refused(url: str) -> None:
    assert ("development password" if "devpass" in url else "DATABASE_URL must read") in read(
        "1", DATABASE_URL=url
    ).stderr


def test_going_without_sentry_is_a_decision() -> None:
    assert "SENTRY_DISABLED=true goes without" in read("1", SENTRY_DSN="").stderr
    assert read("1", SENTRY_DSN="", SENTRY_DISABLED="true").stdout == "1\n"


def test_a_release_broken_by_a_missing_variable_says_which() -> None:
    assert "REPORTS_BUCKET is missing" in read("1", BROKEN="missing_variable").stderr


def test_an_unknown_breakage_is_refused() -> None:
    assert "choose one of: crash_loop" in read("1", BROKEN="nonsense").stderr


SHELL = ["shell", "--no-imports", "-c", "from django.conf import settings; print(settings.DEBUG)"]


@pytest.mark.parametrize("command", [["migrate_schemas"], SHELL, ["check"], ["seed_demo"]])
def test_no_command_is_spared_the_check(command: list[str]) -> None:
    started = [sys.executable, "manage.py", *command]
    environment = {**GOOD, "STRIPE_SECRET_KEY": ""}
    done = subprocess.run(started, cwd=BACKEND, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "STRIPE_SECRET_KEY is missing" in done.stderr


def test_django_and_the_apis_description_complain_of_nothing() -> None:
    """The line of checklists/001-appendix-a.yaml; it asks neither database nor broker."""
    command = [sys.executable, "manage.py", "check", "--deploy"]
    environment = {**GOOD, "SECRET_KEY": "a-key-of-many-different-characters-" * 2}
    done = subprocess.run(command, cwd=BACKEND, env=environment, capture_output=True, text=True)
    assert "no issues" in done.stdout + done.stderr, done.stdout + done.stderr


def test_the_image_is_production_unless_told_otherwise() -> None:
    """The router itself takes development when nobody says anything, as the document has it; no image does."""
    assert re.search(r"^ENV .*\bDJANGO_ENV=production\b", (BACKEND.parent / "Dockerfile").read_text(), re.MULTILINE)


def test_mail_to_the_console_of_a_laptop_is_no_log_line(
    development: dict[str, object], production: dict[str, object]
) -> None:
    """A log line would lose the token of its link; production sends mail and keeps every line redacted."""
    assert development["CELERY_WORKER_REDIRECT_STDOUTS"] is False
    assert "CELERY_WORKER_REDIRECT_STDOUTS" not in production
