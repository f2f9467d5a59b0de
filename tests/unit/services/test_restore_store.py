"""A damaged store comes back, and what runs fits it again."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders import SHOP, release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.adapters.store import SqliteStore
from berthmaster.adapters.store.snapshots import StoreSnapshots
from berthmaster.bootstrap import lazily
from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.engine.executor import Executor
from berthmaster.engine.failpoints import Failpoint, Killed
from berthmaster.engine.lease import hold
from berthmaster.ports.progress import Silence
from berthmaster.services.restore_store import Restored, restore_store

KEY = SHOP.release_key


def on_disk(path: Path) -> World:
    """A server whose store is a file."""
    world = empty_world()
    clock = world.outside.clock
    store = lazily(lambda: SqliteStore(path, block="10.201.0.0/16", clock=clock))
    world.outside = replace(world.outside, store=store)
    return world


def overwrite(path: Path) -> None:
    path.write_bytes(b"\xff" * 8192)


async def restored(world: World, path: Path, source: Path | None = None) -> Restored:
    """Damage the store, open it anew as the next command would, restore."""
    world.outside.store.close()
    overwrite(path)
    world.outside = replace(world.outside, store=on_disk(path).outside.store)
    return await restore_store(world.outside, StoreSnapshots(path), source)


async def deploy_until_the_switch(world: World) -> None:
    """A new release that was killed when old consumers were stopped and new ones ran."""
    plan = await world.plan_deploy(release(2))
    store = world.outside.store
    async with hold(store, str(SHOP), what="test") as lease:
        deployment = store.open_deployment(
            SHOP, verb="deploy", plan=plan, release=2, actor="test", fence=lease.fence
        )
        failpoint = Failpoint("Switch", "after", how="raise")
        await Executor(world.outside, lease, Silence(), failpoint).run(deployment)


def copies(path: Path) -> list[Path]:
    return [item.path for item in StoreSnapshots(path).kept()]


async def test_the_newest_copy_is_what_runs_after_a_deploy(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    world = on_disk(path)
    await world.deploy(release(1))
    await world.deploy(release(2))
    before = await world.view()
    done = await restored(world, path)
    assert await world.view() == before
    assert done.told == ()
    assert done.set_aside is not None
    await world.deploy(release(3))
    assert (await world.view()).live == 3


async def test_a_release_that_the_copy_does_not_know_goes_when_the_recorded_one_runs(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    world = on_disk(path)
    await world.deploy(release(1))
    old = copies(path)[0]
    before = await world.view()
    with pytest.raises(Killed):
        await deploy_until_the_switch(world)
    done = await restored(world, path, old)
    assert [line for line in done.told if "r2 is not in this snapshot; it was removed" in line]
    assert await world.view() == before
    assert world.outside.store.next_release_number(SHOP) == 3


async def test_it_stays_when_the_recorded_one_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    world = on_disk(path)
    await world.deploy(release(1))
    old = copies(path)[0]
    await world.deploy(release(2))
    for name in [item for item in world.engine.containers if "-r1-web" in item]:
        await world.outside.runtime.remove(name)
    done = await restored(world, path, old)
    assert [line for line in done.told if "berth deploy shop@prod --force" in line]
    assert (await world.view()).table.live == {SHOP.project: KEY(2)}
    assert [name for name in world.engine.containers if "-r2-web" in name]
    assert world.outside.store.next_release_number(SHOP) == 3


async def test_a_sound_store_is_replaced_only_when_forced(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    world = on_disk(path)
    await world.deploy(release(1))
    with pytest.raises(NotAllowed, match="the store is sound"):
        await restore_store(world.outside, StoreSnapshots(path), None)


async def test_without_a_sound_copy_it_says_so_and_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    world = on_disk(path)
    await world.deploy(release(1))
    for copy in copies(path):
        copy.write_bytes(b"\xff" * 100)
    with pytest.raises(NotFound, match="no sound snapshot") as refused:
        await restored(world, path)
    assert "--from FILE" in str(refused.value.next_command)
    assert path.read_bytes() == b"\xff" * 8192
    with pytest.raises(NotFound, match="no sound copy"):
        await restore_store(world.outside, StoreSnapshots(path), copies(path)[0])
