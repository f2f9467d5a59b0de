"""A server that is lost comes back from its backup; a backup that is not whole says so."""

import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import DB, World, empty_world

from berthmaster.adapters.store import SqliteStore
from berthmaster.adapters.store.snapshots import StoreSnapshots
from berthmaster.bootstrap import lazily
from berthmaster.domain.backup import CopyKind
from berthmaster.domain.deployment import DeploymentState
from berthmaster.domain.errors import (
    BerthmasterError,
    InvalidSpec,
    LeaseHeld,
    NotAllowed,
    NotFound,
    OutsideError,
)
from berthmaster.domain.routing import Entrypoint
from berthmaster.engine.executor import Executor
from berthmaster.engine.failpoints import Failpoint, Killed
from berthmaster.engine.lease import hold
from berthmaster.planner.putback import TRIAL_DATABASE, is_kept
from berthmaster.ports.progress import Silence
from berthmaster.services import back_up_server as back_up_server_module
from berthmaster.services.back_up_server import (
    BackupDone,
    BackupIncomplete,
    Installation,
    back_up_server,
    read_manifest,
)
from berthmaster.services.end_stack import destroy
from berthmaster.services.gather_backup import gather
from berthmaster.services.read_health import Verdict, backup_findings
from berthmaster.services.restore_server import (
    ServerRestored,
    Source,
    choose_copy,
    restore_server,
)
from berthmaster.services.verify_backup import Verified, verify_backup
from berthmaster.testing.backups import CODE, FakeBackups, FakeEngineData, FakeRepository

HERE = Installation("0.1.0", "web1")


class UpGateway:
    """Always up."""

    async def plan(self, entrypoints: Sequence[Entrypoint]) -> tuple[str, ...]:
        return ()

    async def up(self, entrypoints: Sequence[Entrypoint]) -> tuple[str, ...]:
        return ()

    async def down(self) -> None:
        pass


class NoUnits:
    async def install(self) -> tuple[str, ...]:
        return ()

    async def remove(self) -> tuple[str, ...]:
        return ()


@dataclass
class Machine:
    """A server with a disk: its state folder and its volumes are real folders."""

    world: World
    backups: FakeBackups
    data: FakeEngineData

    @property
    def state(self) -> Path:
        return self.world.outside.state_folder

    @property
    def snapshots(self) -> StoreSnapshots:
        return StoreSnapshots(self.state / "store.db")

    async def later(self, **time: float) -> None:
        await self.world.outside.clock.sleep(timedelta(**time).total_seconds())

    async def back_up(self) -> BackupDone:
        return await back_up_server(self.world.outside, self.backups, self.data, HERE)

    async def verify(self) -> Verified:
        # A twin's dumps lie in memory; they would have come with the state folder.
        databases = self.world.databases
        trial = self.state / "backup/trial/state/dumps" / SHOP.project
        for (_, name), point in tuple(databases.points_taken.items()):
            databases.points_taken[trial, name] = point
            databases.dumped[trial, name] = databases.dumped[point.path.parent, name]
        return await verify_backup(self.world.outside, self.backups, self.snapshots)

    async def restore(self, *, is_fresh: bool = True) -> ServerRestored:
        self.backups.use(CODE)
        copy = await choose_copy(self.backups, None)
        manifest = await read_manifest(self.backups, copy)
        source = Source(self.backups, self.data, self.snapshots, copy, manifest)
        return await restore_server(
            self.world.outside, source, NoUnits(), Silence(), is_fresh=is_fresh
        )

    async def lose(self, volumes: Path) -> "Machine":
        """Its disk and engine are gone; another machine has the repository and knows no image."""
        self.world.outside.store.close()
        shutil.rmtree(self.state)
        fresh = machine(self.state, volumes, self.backups.repository)
        fresh.world.engine.remote_images |= {
            image.id: image for image in self.world.engine.images.values()
        }
        # The twins' dumps lie in memory, and would have come with the state folder.
        fresh.world.databases.dumped |= self.world.databases.dumped
        fresh.world.databases.points_taken |= self.world.databases.points_taken
        return fresh


def machine(state: Path, volumes: Path, repository: FakeRepository | None = None) -> Machine:
    world = empty_world()
    clock = world.outside.clock
    state.mkdir(exist_ok=True)
    world.outside = replace(
        world.outside,
        store=lazily(lambda: SqliteStore(state / "store.db", block="10.201.0.0/16", clock=clock)),
        state_folder=state,
        gateway=cast(Any, UpGateway()),
    )
    return Machine(world, FakeBackups(repository), FakeEngineData(world.engine, volumes))


@pytest.fixture
async def shop(tmp_path: Path) -> Machine:
    """The shop, live as r1, with something in its database and key."""
    made = machine(tmp_path / "state", tmp_path / "volumes")
    (made.state / "secret.key").write_text("the key")
    await made.world.deploy(release(1))
    made.world.databases.inside(DB)["postgres"] = "precious"
    return made


async def test_a_lost_server_comes_back_with_its_data(shop: Machine, tmp_path: Path) -> None:
    before = await shop.world.view()
    done = await shop.back_up()
    assert (done.code, done.manifest.stacks, done.manifest.failed) == (CODE, ("shop@prod",), ())
    fresh = await shop.lose(tmp_path / "fresh")
    restored = await fresh.restore()
    assert (restored.stacks, restored.failed) == ((SHOP,), ())
    after = await fresh.world.view()
    assert (after.table, after.live) == (before.table, 1)
    assert fresh.world.databases.inside(DB) == {"postgres": "precious"}
    assert (fresh.state / "secret.key").read_text() == "the key"
    assert not (fresh.state / "restore.json").exists()


async def test_a_volume_comes_back_unless_a_dump_stands_for_it(
    shop: Machine, tmp_path: Path
) -> None:
    folder = await shop.data.volume_folder("shop-prod_data")
    assert folder is not None
    (folder / "upload").write_bytes(b"\0picture")
    done = await shop.back_up()
    assert [item.name for item in done.manifest.volumes] == ["shop-prod_data"]
    fresh = await shop.lose(tmp_path / "fresh")
    await fresh.restore()
    assert (tmp_path / "fresh/shop-prod_data/upload").read_bytes() == b"\0picture"


async def test_a_release_runs_by_id_where_no_registry_gave_the_image_its_name(
    shop: Machine, tmp_path: Path
) -> None:
    await shop.back_up()
    fresh = await shop.lose(tmp_path / "fresh")
    await fresh.restore()
    record = fresh.world.outside.store.release(SHOP, 1)
    assert record is not None
    pins = {item.image.runs_as for item in record.services if item.image}
    assert all(name.startswith("sha256:") for name in pins)
    await fresh.world.deploy(release(2))
    assert (await fresh.world.view()).live == 2


async def test_images_have_the_tags_again_that_no_registry_knows(
    shop: Machine, tmp_path: Path
) -> None:
    built, taken = ("shop/web:v1", "localhost:5000/shop/web:v1"), "shop/db:15"
    web, db = sorted({image.id for image in shop.world.engine.images.values()})
    for image, tag in ((web, built[0]), (web, built[1]), (db, taken)):
        await shop.data.name_image(image, tag)
    await shop.back_up()
    fresh = await shop.lose(tmp_path / "fresh")
    other = fresh.world.engine.add_image(taken)  # somebody's own, under a name of ours
    await fresh.restore()
    found = fresh.world.engine.images
    assert {found[tag].id for tag in built} == {web}
    assert found[web].tags == built
    assert found[taken].id == other.id


async def test_a_second_backup_writes_no_image_again(shop: Machine) -> None:
    first, second = await shop.back_up(), await shop.back_up()
    assert (first.images_saved, second.images_saved) == (2, 0)
    assert second.copy_id != first.copy_id


async def test_a_database_that_was_closed_on_purpose_is_saved_by_its_files(shop: Machine) -> None:
    shop.world.outside.store.set_maintenance(SHOP, True)
    await shop.world.outside.runtime.stop(DB, 1.0)
    done = await shop.back_up()
    assert done.manifest.failed == ()
    assert done.manifest.databases == ()
    assert "shop-prod_data" in {item.name for item in done.manifest.volumes}


async def test_a_failed_dump_makes_a_failed_backup(shop: Machine) -> None:
    await shop.back_up()
    assert [item.verdict for item in backup_findings(shop.world.outside)] == [Verdict.OK]
    await shop.later(minutes=1)
    await shop.world.outside.runtime.stop(DB, 1.0)
    with pytest.raises(BackupIncomplete, match="database db of shop@prod") as refused:
        await shop.back_up()
    assert refused.value.exit_code == 3
    (finding,) = backup_findings(shop.world.outside)
    assert (finding.verdict, "database db" in finding.evidence) == (Verdict.DEGRADED, True)
    copies = [item for item in await shop.backups.copies() if item.is_backup]
    assert [item.kind for item in copies] == [CopyKind.WHOLE, CopyKind.PARTIAL]
    assert (await choose_copy(shop.backups, None)).kind is CopyKind.WHOLE


def _meanwhile(
    monkeypatch: pytest.MonkeyPatch, shop: Machine, happens: Callable[[], Awaitable[object]]
) -> None:
    """Something happens on the server after everything was gathered once."""
    happened = list[int]()

    async def gathered(*those: Any) -> Any:
        found = await gather(*those)
        if not happened:
            happened.append(1)
            await happens()
        return found

    monkeypatch.setattr(back_up_server_module, "gather", gathered)


async def test_a_release_that_came_while_the_others_were_saved_comes_back_with_its_data(
    shop: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deployed() -> None:
        await shop.world.deploy(release(2))
        shop.world.databases.inside(DB)["postgres"] = "as r2 migrated it"

    _meanwhile(monkeypatch, shop, deployed)
    done = await shop.back_up()
    assert len(done.manifest.databases) == 1
    fresh = await shop.lose(tmp_path / "fresh")
    restored = await fresh.restore()
    assert restored.failed == ()
    record = fresh.world.outside.store.stack(SHOP)
    assert record is not None
    assert (record.live, fresh.world.databases.inside(DB)["postgres"]) == (2, "as r2 migrated it")


async def test_a_stack_that_ended_while_it_was_saved_is_no_part_of_the_backup(
    shop: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ended() -> None:
        await destroy(shop.world.outside, SHOP, Silence(), removes_volumes=True)

    _meanwhile(monkeypatch, shop, ended)
    done = await shop.back_up()
    assert (done.manifest.stacks, done.manifest.databases, done.manifest.volumes) == ((), (), ())


async def test_one_that_changes_all_the_time_makes_a_failed_backup(
    shop: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = count(2)
    snapshot = SqliteStore.snapshot

    def changing(store: SqliteStore, path: Path) -> None:
        snapshot(store, path)
        value = shop.world.record(release(next(numbers)))
        lease = store.acquire_lease(str(SHOP), holder="a deploy", seconds=60)
        live = store.stack(SHOP)
        old = live.live if live else None
        store.mark_live(SHOP, value.number, old=old, warm_until=None, fence=lease.fence)
        store.release_lease(lease)

    monkeypatch.setattr(SqliteStore, "snapshot", changing)
    with pytest.raises(BackupIncomplete, match="shop@prod: it was changed again and again"):
        await shop.back_up()


async def test_a_target_that_takes_nothing_is_a_failed_backup(shop: Machine) -> None:
    shop.backups.failure = OutsideError("disk full", subject="backup target")
    with pytest.raises(OutsideError):
        await shop.back_up()
    last = shop.world.outside.store.last_event("server_backup_failed")
    assert last is not None
    assert "disk full" in last.detail


async def test_a_backup_that_gets_old_degrades_health(shop: Machine) -> None:
    await shop.back_up()
    await shop.later(days=3)
    (finding,) = backup_findings(shop.world.outside)
    assert (finding.verdict, finding.mend) == (Verdict.DEGRADED, "berth server backup")


async def test_two_backups_at_once_are_refused(shop: Machine) -> None:
    async with hold(shop.world.outside.store, "backup", what="test"):
        with pytest.raises(LeaseHeld):
            await shop.back_up()


@pytest.mark.parametrize("fail_at", range(1, 4))
async def test_a_restore_that_was_stopped_anywhere_goes_on(
    shop: Machine, tmp_path: Path, fail_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.back_up()
    fresh = await shop.lose(tmp_path / "fresh")
    extract, calls = fresh.backups.extract, []

    async def breaking(copy_id: str, source: str, into: Path) -> None:
        calls.append(source)
        if len(calls) == fail_at:
            raise OutsideError("the line was cut", subject="backup target")
        await extract(copy_id, source, into)

    monkeypatch.setattr(fresh.backups, "extract", breaking)
    failed = await end_of(fresh)
    assert failed or fail_at > len(calls)
    restored = await fresh.restore(is_fresh=False) if failed else None
    assert restored is None or restored.failed == ()
    assert fresh.world.databases.inside(DB) == {"postgres": "precious"}


async def end_of(fresh: Machine) -> bool:
    """Whether a restore failed, as a whole or in a stack."""
    try:
        return bool((await fresh.restore()).failed)
    except BerthmasterError:
        return True


async def test_a_stack_that_was_killed_in_the_middle_is_reversed_and_made_again(
    shop: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.back_up()
    fresh = await shop.lose(tmp_path / "fresh")
    killed = Failpoint("SwapDatabase", "after", how="raise")
    place = "berthmaster.services.carry_out.failpoint_from_environment"
    with monkeypatch.context() as patch:
        patch.setattr(place, lambda: killed)
        with pytest.raises(Killed):
            await fresh.restore()
    assert (await fresh.restore(is_fresh=False)).failed == ()
    assert fresh.world.databases.inside(DB) == {"postgres": "precious"}


async def test_what_was_under_way_has_ended_with_its_server(shop: Machine, tmp_path: Path) -> None:
    plan = await shop.world.plan_deploy(release(2))
    store = shop.world.outside.store
    async with hold(store, str(SHOP), what="test") as lease:
        deployment = store.open_deployment(
            SHOP, verb="deploy", plan=plan, release=2, actor="test", fence=lease.fence
        )
        failpoint = Failpoint("Switch", "before", how="raise")
        executor = Executor(shop.world.outside, lease, Silence(), failpoint)
        with pytest.raises(Killed):
            await executor.run(deployment)
    await shop.back_up()
    fresh = await shop.lose(tmp_path / "fresh")
    await fresh.restore()
    ended = fresh.world.outside.store.deployment(deployment.id)
    assert ended is not None
    assert ended.state is DeploymentState.FAILED
    view = await fresh.world.view()
    assert (view.live, view.table.live) == (1, {"shop-prod": "shop-prod/r1"})


async def test_a_server_with_stacks_is_no_place_for_a_restore(shop: Machine) -> None:
    await shop.back_up()
    with pytest.raises(NotAllowed, match="stacks of its own"):
        await shop.restore(is_fresh=False)


async def test_another_address_block_is_refused_with_what_to_write(
    shop: Machine, tmp_path: Path
) -> None:
    await shop.back_up()
    fresh = await shop.lose(tmp_path / "fresh")
    fresh.world.outside = replace(fresh.world.outside, address_block="10.9.0.0/16")
    with pytest.raises(InvalidSpec, match=r"address_block = 10\.201\.0\.0/16"):
        await fresh.restore()


async def test_an_empty_place_has_no_backup(shop: Machine) -> None:
    await shop.backups.prepare()
    with pytest.raises(NotFound, match="no backup"):
        await choose_copy(shop.backups, None)


async def test_a_sound_backup_is_restored_on_trial_and_leaves_nothing(shop: Machine) -> None:
    await shop.back_up()
    done = await shop.verify()
    assert done.damaged == ()
    assert {"store and key", "database db of shop@prod"} <= set(done.parts)
    assert shop.world.databases.inside(DB) == {"postgres": "precious"}
    assert not (shop.state / "backup/trial").exists()


async def test_damage_is_named_by_file_and_by_part(shop: Machine) -> None:
    folder = await shop.data.volume_folder("shop-prod_data")
    assert folder is not None
    (folder / "upload").write_bytes(b"x")
    await shop.back_up()
    shop.backups.repository.damaged.add(str(folder / "upload"))
    done = await shop.verify()
    assert done.damaged[0] == f"data{folder / 'upload'}"
    assert done.damaged[1].startswith("volume shop-prod_data: ")
    (finding,) = backup_findings(shop.world.outside)
    assert finding.verdict is Verdict.DEGRADED


async def test_a_trial_that_fails_leaves_no_database_behind(shop: Machine) -> None:
    await shop.back_up()
    shop.world.engine.fail_next("databases.restore_into", is_late=True)
    assert any("database db" in line for line in (await shop.verify()).damaged)
    assert TRIAL_DATABASE not in shop.world.databases.inside(DB)
    assert is_kept(TRIAL_DATABASE)  # what a kill leaves is in later dumps, and never put back


async def test_the_code_is_told_until_somebody_was_told(shop: Machine) -> None:
    assert (await shop.back_up()).code == CODE
    assert (await shop.back_up()).code == CODE
    shop.backups.code_was_told()
    assert (await shop.back_up()).code is None
