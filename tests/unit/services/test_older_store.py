"""Berthmaster over the store of an older version whose deployment was killed: it is finished or
reversed, as if the version had not changed.
"""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders import SHOP, release
from tests.fixtures.store.make_half_done import MOMENTS, half_done
from tests.unit.engine.worlds import World

from berthmaster.adapters.store import SqliteStore, migration
from berthmaster.domain.deployment import DeploymentState
from berthmaster.ports.progress import Silence
from berthmaster.services.recover import recover_abandoned

FIXTURES = Path(__file__).parents[2] / "fixtures" / "store"
HALVES = sorted((FIXTURES / "half").glob("v*.sql"))


async def world_over(file: Path, folder: Path) -> World:
    """The same deployment killed on twins, and the old store in the place of its own."""
    _write(folder / "store.db", file)
    world = await half_done(file.stem.partition("-")[2])
    store = SqliteStore(folder / "store.db", block="10.201.0.0/16", clock=world.outside.clock)
    world.outside = replace(world.outside, store=store)
    return world


def _write(store: Path, file: Path) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.executescript(file.read_text())


@pytest.mark.parametrize("file", HALVES, ids=lambda file: file.stem)
async def test_a_half_done_deployment_of_an_older_version_is_ended(
    file: Path, tmp_path: Path
) -> None:
    world = await world_over(file, tmp_path)
    is_past = file.stem.endswith("past")
    (told,) = await recover_abandoned(world.outside, Silence())
    assert ("finished" in told, "reversed" in told) == (is_past, not is_past)
    (newest, *_) = world.outside.store.deployments(SHOP)
    wanted = DeploymentState.SUCCEEDED if is_past else DeploymentState.UNWOUND
    assert newest.state is wanted
    live = 2 if is_past else 1
    view = await world.view()
    assert (view.live, view.table.live) == (live, {"shop-prod": f"shop-prod/r{live}"})
    assert world.outside.store.check() == ()


async def test_after_it_the_next_deploy_goes_through(tmp_path: Path) -> None:
    world = await world_over(HALVES[0], tmp_path)
    await recover_abandoned(world.outside, Silence())
    await world.deploy(release(3))
    assert (await world.view()).live == 3


def test_every_older_version_has_its_stores() -> None:
    older = range(1, len(migration.migrations()))
    there = {file.stem for file in (*FIXTURES.glob("v*.sql"), *HALVES)}
    wanted = {f"v{number:04}" for number in older}
    first = int(HALVES[0].stem[1:5])  # kept from this version on
    wanted |= {f"v{n:04}-{moment}" for n in older if n >= first for moment in MOMENTS}
    assert wanted <= there, "make them on the commit before the migration: see CONTRIBUTING.md"
