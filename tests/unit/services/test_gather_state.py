"""Which state services a backup dumps, which it copies, and which make it fail."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders import release
from tests.unit.engine.worlds import DB
from tests.unit.services.test_lost_server import Machine, machine

from berthmaster.domain.release import Release
from berthmaster.domain.spec import Role
from berthmaster.services.back_up_server import BackupIncomplete, read_manifest
from berthmaster.services.restore_server import choose_copy


@pytest.fixture
def server(tmp_path: Path) -> Machine:
    return machine(tmp_path / "state", tmp_path / "volumes")


def unknown_when_recorded(**of_db: object) -> Release:
    """A release of a version that could not dump its database."""
    whole = release(1)
    services = tuple(
        replace(item, is_dumpable=False) if item.role is Role.STATE else item
        for item in whole.services
    )
    db = {**whole.state_model["services"]["db"], **of_db}
    return replace(
        whole, services=services, state_model={**whole.state_model, "services": {"db": db}}
    )


async def live(server: Machine, shop: Release, environment: dict[str, str], *data: str) -> None:
    """Deploy it; its database's image says this of itself."""
    await server.world.deploy(shop)
    images = server.world.engine.images
    (pin,) = (item.image for item in shop.services if item.role is Role.STATE)
    assert pin is not None
    told = replace(images[pin.runs_as], environment=environment, volumes=data)
    images.update({pin.runs_as: told, told.id: told})


async def test_a_database_is_dumped_that_an_older_version_did_not_know(server: Machine) -> None:
    await live(server, unknown_when_recorded(), {"MARIADB_VERSION": "1:10.11"})
    done = await server.back_up()
    assert [(item.stack, item.service) for item in done.manifest.databases] == [("shop@prod", "db")]


async def test_a_database_that_nobody_can_dump_makes_a_failed_backup(server: Machine) -> None:
    await live(server, unknown_when_recorded(), {"MONGO_MAJOR": "7.0"})
    with pytest.raises(BackupIncomplete, match="cannot dump mongo"):
        await server.back_up()


async def test_one_that_is_stopped_is_saved_by_its_files(server: Machine) -> None:
    await live(server, unknown_when_recorded(), {"MONGO_MAJOR": "7.0"})
    await server.world.outside.runtime.stop(DB, 1.0)
    assert (await server.back_up()).manifest.failed == ()


async def test_files_of_a_running_database_are_left_to_its_dump(
    server: Machine, tmp_path: Path
) -> None:
    app = tmp_path / "app"
    (app / "data").mkdir(parents=True)
    (app / "data/ibdata1").write_text("torn")
    (app / "initdb").mkdir()
    (app / "initdb/first.sql").write_text("CREATE TABLE t (n int)")
    mounts = [
        {"type": "bind", "source": f"{app}/data", "target": "/var/lib/mysql"},
        {"type": "bind", "source": f"{app}/initdb", "target": "/docker-entrypoint-initdb.d"},
    ]
    shop = unknown_when_recorded(volumes=mounts)
    await live(server, shop, {"MARIADB_VERSION": "1:10.11"}, "/var/lib/mysql")
    server.world.outside.store.add_stack(shop.stack, str(app))
    await server.back_up()
    copy = await choose_copy(server.backups, None)
    assert str(app) in (await read_manifest(server.backups, copy)).folders
    saved = server.backups.repository.files[copy.id]
    assert f"{app}/initdb/first.sql" in saved
    assert f"{app}/data/ibdata1" not in saved
