"""Which images may open each other's data."""

import pytest

from berthmaster.planner.majors import database_version, refusal

VERSIONS = [
    ("postgres:15.3-alpine", {}, "postgres 15"),
    ("postgres@sha256:" + "0" * 64, {"PG_MAJOR": "16"}, "postgres 16"),
    ("timescale/timescaledb:2.14-pg15", {}, "postgres 15"),
    ("postgis/postgis:16-3.4", {}, "postgres 16"),
    ("mysql:8.0.36", {}, "mysql 8.0"),
    ("mariadb:latest", {"MARIADB_VERSION": "1:10.11.6+maria~ubu2204"}, "mariadb 10.11"),
    ("mongo:7.0", {}, "mongo 7.0"),
    ("registry:5000/team/redis:7", {}, "redis 7"),
    ("mysql:8", {}, "mysql"),
]


@pytest.mark.parametrize(("reference", "environment", "wanted"), VERSIONS)
def test_a_database_and_its_major_version_are_read(
    reference: str, environment: dict[str, str], wanted: str
) -> None:
    assert str(database_version(reference, environment)) == wanted


def test_what_is_no_database_has_no_version() -> None:
    assert database_version("shop:16", {"PG_MAJOR": "16"}) is None


@pytest.mark.parametrize(
    ("old", "new", "is_refused"),
    [
        ("postgres:15.1", "postgres:15.9", False),
        ("postgres:15", "postgres:16", True),
        ("postgres:16", "postgres:15", True),
        ("postgres:15", "mysql:8.0", True),
        ("postgres:15", "shop:1", True),
        ("mysql:8.0", "mysql:8.4", True),
        ("mysql:8.0", "mysql:latest", True),  # it would upgrade the data for good
        ("postgres:15", "postgres:latest", False),  # it refuses foreign data itself
        ("nats:2", "nats:3", False),
    ],
)
def test_another_major_version_is_refused(old: str, new: str, is_refused: bool) -> None:
    why = refusal(database_version(old, {}), database_version(new, {}))
    assert bool(why) is is_refused, why
