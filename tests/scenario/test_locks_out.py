"""Migrations that are called compatible and are not: the release that serves cannot go on."""

import asyncio
import signal

import pytest
from tests.scenario.commands import end
from tests.scenario.dsl import App, MakeApp
from tests.scenario.server import until

pytestmark = pytest.mark.docker

LOCK = "LOCK TABLE rows IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"
LONG = "CREATE TABLE extra (n int); SELECT pg_sleep(600)"
DROP = "DROP TABLE rows"


async def psql(shop: App, statement: str) -> str:
    words = ("psql", "-U", "shop", "-d", "shop", "-Atc", statement)
    return await shop.exec(f"{shop.project}-db-1", *words)


@pytest.mark.requirement("R150")
async def test_a_migration_that_locks_the_old_release_out_is_stopped(app: MakeApp) -> None:
    shop = app("rows", "stage")
    await shop.deploy("v1")
    before = await shop.world()
    async with shop.watched() as seen:
        done = await shop.give(MIGRATION=LOCK).deploy("v2", code=1)
    assert "r1 answers well again" in done.err, done.err
    assert "compatible: no" in done.err
    assert "r1 still serves" in done.err
    assert (seen.versions, seen.lost) == (["v1"], [])
    assert (await shop.ask("/rows")).status == 200
    locks = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'"
    assert await psql(shop, locks) == "0"  # nor does a session of it go on
    assert await shop.world() == before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
async def test_a_migration_that_was_cut_short_does_not_go_on_in_the_database(
    app: MakeApp, how: signal.Signals
) -> None:
    shop = app("rows", "stage")
    await shop.deploy("v1")
    before = await shop.world()
    process = await shop.give(MIGRATION=LONG).start("deploy", shop.stack, "--tag", "v2")
    ending = asyncio.create_task(end(process))

    async def sleeping() -> bool:
        statement = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        return await psql(shop, statement) == "1"

    await until(sleeping, seconds=60)
    process.send_signal(how)
    await ending
    await shop.done("tick")
    assert not await sleeping()
    assert (await shop.ask()).version == "v1"
    assert await shop.world() == before


@pytest.mark.requirement("R150")
async def test_a_committed_harm_is_said_and_the_named_command_mends_it(app: MakeApp) -> None:
    shop = app("rows", "stage")
    await shop.deploy("v1")
    await psql(shop, "INSERT INTO rows SELECT generate_series(1, 100)")
    done = await shop.give(MIGRATION=DROP).deploy("v2", code=1)
    assert "does NOT answer well" in done.err, done.err
    assert "still serves" not in done.err
    assert (await shop.ask("/rows")).status == 503
    (line,) = (line for line in done.err.splitlines() if line.strip().startswith("next: berth"))
    words = line.split()[2:]
    assert words == ["rollback", shop.stack, "--to", "r1", "--restore-point", "before-r2"]
    await shop.done(*words)
    assert (await shop.ask("/rows")).status == 200
    assert await psql(shop, "SELECT count(*) FROM rows") == "100"
    assert (await shop.ask()).version == "v1"
