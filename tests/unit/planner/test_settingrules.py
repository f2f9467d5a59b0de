"""Settings that must not reach production, in the spellings that frameworks take."""

import pytest

from berthmaster.planner import settingrules as rules


@pytest.mark.parametrize(
    ("name", "value", "is_bad"),
    [
        *(("DEBUG", "1", True), ("DJANGO_DEBUG", "True", True), ("FLASK_DEBUG", "on", True)),
        *(("DEBUG", "*", True), ("GIN_MODE", "debug", True), ("APP_DEBUG_MODE", "yes", True)),
        *(("DEBUG", "0", False), ("DEBUG", "", False), ("GIN_MODE", "release", False)),
        *(("DEBUGGER_HOST", "1", False), ("DEBUG_LEVEL", "1", False)),
    ],
)
def test_debug_is_known_by_name_and_value(name: str, value: str, is_bad: bool) -> None:
    assert bool(list(rules.find_debug({name: value}))) == is_bad


@pytest.mark.requirement("R58")
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("*", "holds `*`: every host"),
        ("shop.test, *", "holds `*`: every host"),
        ('["*"]', "holds `*`: every host"),
        ("*.shop.test", "holds `*.shop.test`, which never matches"),
        (".shop.test web", ""),
        ("", ""),
    ],
)
def test_a_star_in_a_list_of_hosts(value: str, said: str) -> None:
    found = [item.evidence for item in rules.find_open_hosts({"DJANGO_ALLOWED_HOSTS": value})]
    assert found == ([f"DJANGO_ALLOWED_HOSTS {said}"] if said else [])


@pytest.mark.parametrize(
    ("name", "value", "is_bad"),
    [
        *(("CORS_ALLOWED_ORIGINS", "*", True), ("ALLOWED_ORIGINS", "https://a.test,*", True)),
        *(("CORS_ALLOW_ALL_ORIGINS", "true", True), ("CORS_ORIGIN_ALLOW_ALL", "1", True)),
        *(("CORS_ORIGIN", "*", True), ("CORS_ALLOWED_ORIGINS", "https://a.test", False)),
        *(("CORS_ALLOW_ALL_ORIGINS", "false", False), ("ALLOWED_ORIGINS", "", False)),
    ],
)
def test_origins_that_let_every_site_in(name: str, value: str, is_bad: bool) -> None:
    assert bool(list(rules.find_open_origins({name: value}))) == is_bad


@pytest.mark.parametrize(
    ("name", "value", "environment", "is_bad"),
    [
        *(("DJANGO_ENV", "production", "prod", False), ("APP_ENV", "prod", "prod", False)),
        *(("APP_ENV", "staging", "prod", True), ("APP_ENV", "staging", "stage", False)),
        *(("DJANGO_ENV", "development", "stage", True), ("DJANGO_ENV", "", "prod", True)),
        *(("DJANGO_ENV", "staging", "stage", True), ("DJANGO_ENV", "production", "stage", False)),
        *(("APP_ENV", "qa", "qa", False), ("ENVIRONMENT", "development", "prod", False)),
    ],
)
def test_what_the_app_is_told_of_where_it_runs(
    name: str, value: str, environment: str, is_bad: bool
) -> None:
    found = rules.find_wrong_environment(
        {name: value}, environment, is_production=environment == "prod"
    )
    assert bool(list(found)) == is_bad


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ({"DB_SSLMODE": "require"}, "good"),
        ({"DB_SSLMODE": "verify-full", "DB_HOST": "db"}, "good"),
        ({"DB_SSLMODE": "disable"}, "bad"),
        ({"DB_SSLMODE": " "}, "bad"),
        ({"PGSSLMODE": "DISABLE"}, "bad"),
        ({"DB_SSLMODE": "prefer"}, "doubt"),
        ({"DB_HOST": "db", "DB_PASSWORD_FILE": "/run/secrets/p"}, "bad"),
        ({"DATABASE_URL": "postgres://u:p@db/x?sslmode=disable"}, "bad"),
        ({"DATABASE_URL": "postgresql+asyncpg://u:p@db/x?sslmode="}, "bad"),
        ({"DATABASE_URL": "postgres://u:p@db/x?sslmode=verify-full"}, "good"),
        ({"DATABASE_URL": "postgres://u:p@db/x"}, "doubt"),
        ({"DATABASE_URL": "postgres://u:p@[db/x?sslmode=disable"}, "doubt"),
        ({"DATABASE_URL": "mysql://u:p@db/x"}, "good"),
        ({"REDIS_URL": "redis://redis:6379"}, "good"),
    ],
)
def test_whether_a_database_is_reached_with_tls(values: dict[str, str], verdict: str) -> None:
    found = list(rules.find_plain_database(values))
    doubts = [item.is_doubt for item in found]
    assert verdict == ("good" if not found else "doubt" if all(doubts) else "bad")


def test_no_finding_repeats_a_value() -> None:
    values = {
        "DATABASE_URL": "postgres://u:planted@db/x?sslmode=disable",
        "APP_ENV": "planted-secret!",
        "CORS_ORIGINS": "*,planted",
    }
    found = [
        *rules.find_plain_database(values),
        *rules.find_open_origins(values),
        *rules.find_wrong_environment(values, "prod", is_production=True),
    ]
    assert len(found) == 3
    assert "planted" not in str(found)
