"""Which adapter a container's database is asked of."""

from dataclasses import replace
from pathlib import Path

import pytest

from berthmaster.adapters.databases import KnownDatabases
from berthmaster.adapters.mysql import MysqlDumps
from berthmaster.adapters.postgres import PostgresDumps
from berthmaster.domain.errors import NotAllowed, OutsideError
from berthmaster.testing.runtime import FakeRuntime


@pytest.mark.parametrize(
    ("image", "is_known"),
    [
        ("mariadb:11.4", True),
        ("docker.io/library/mysql:8.4", True),
        ("bitnami/mariadb@sha256:" + "0" * 64, True),
        ("registry.test/mysql/shop:1", False),
        ("prom/mysqld-exporter:v0.15", False),
        ("container-registry.oracle.com/mysql/community-router:8.0", False),
        ("phpmyadmin:5", False),
    ],
)
def test_mariadb_and_mysql_are_known_by_their_images_names(image: str, is_known: bool) -> None:
    assert MysqlDumps(FakeRuntime()).can_dump(image, {}) is is_known


def test_a_server_whose_root_nobody_knows_cannot_be_dumped() -> None:
    databases = MysqlDumps(FakeRuntime())
    assert databases.can_dump("mariadb:11", {"MARIADB_ROOT_PASSWORD_FILE": "/run/secrets/x"})
    assert not databases.can_dump("mariadb:11", {"MARIADB_RANDOM_ROOT_PASSWORD": "yes"})


@pytest.mark.parametrize(
    ("image", "environment", "is_mysql"),
    [
        ("mariadb:11", {}, True),
        ("shop/rows:1", {"MARIADB_VERSION": "1:11.4"}, True),
        ("shop/rows:1", {"MYSQL_VERSION": "8.4.0"}, True),
        ("postgres:16", {"PGDATA": "/data"}, False),
        ("shop/rows:1", {}, False),
    ],
)
async def test_a_container_is_asked_as_its_image_wants(
    image: str, environment: dict[str, str], is_mysql: bool
) -> None:
    runtime = FakeRuntime()
    made = runtime.world.add_image(image)
    told = replace(made, environment=environment)
    runtime.world.images |= {image: told, made.id: told}
    runtime.world.add_container("db", told, labels={"berthmaster.test": "x"})
    await runtime.start("db")
    known = KnownDatabases(runtime, PostgresDumps(runtime), MysqlDumps(runtime))
    with pytest.raises(NotAllowed if is_mysql else OutsideError):
        await known.query("db", "SELECT 1")


async def test_nothing_is_dumped_from_what_does_not_run(tmp_path: Path) -> None:
    runtime = FakeRuntime()
    known = KnownDatabases(runtime, PostgresDumps(runtime), MysqlDumps(runtime))
    with pytest.raises(OutsideError, match="does not run"):
        await known.take("gone", tmp_path, "p")
    assert known.points(tmp_path) == ()
