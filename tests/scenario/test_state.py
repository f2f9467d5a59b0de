"""A database is changed on purpose only, and its data comes back only when it is asked for."""

import secrets

import pytest
from tests.scenario.dsl import App, MakeApp

pytestmark = pytest.mark.docker

SETTING = 'command: ["postgres", "-c", "max_connections=50"]\n    volumes: ["rows:'


async def shop_with_rows(app: MakeApp) -> App:
    shop = app("data").secret("token", secrets.token_hex(20))
    await shop.secret("db_password", secrets.token_hex(20)).deploy("v1")
    await sql(shop, "CREATE TABLE precious AS SELECT generate_series(1, 1000) AS number")
    return shop


async def sql(shop: App, statement: str) -> str:
    database = f"{shop.project}-db-1"
    return await shop.exec(database, "psql", "-U", "shop", "-d", "shop", "-Atc", statement)


@pytest.mark.requirement("R25")
async def test_a_changed_setting_is_applied_on_purpose_and_the_data_survives(app: MakeApp) -> None:
    shop = await shop_with_rows(app)
    shop.edit("compose.yaml", 'volumes: ["rows:', SETTING)
    noted = await shop.deploy("v2")
    plan = await shop.done("deploy", shop.stack, "--tag", "v2", "--plan")
    assert f"`berth deploy {shop.stack} --state db` applies it" in plan.out, noted.said
    assert await sql(shop, "SHOW max_connections") == "100"
    done = await shop.done("deploy", shop.stack, "--state", "db", "--plan")
    assert "db down: at most" in done.out
    await shop.done("deploy", shop.stack, "--state", "db")
    assert await sql(shop, "SHOW max_connections") == "50"
    assert await sql(shop, "SELECT count(*) FROM precious") == "1000"
    before = await shop.started(f"{shop.project}-db-1")
    await shop.done("rollback", shop.stack)
    assert await shop.started(f"{shop.project}-db-1") == before
    assert (await shop.ask()).version == "v1"


async def test_a_setting_that_cannot_start_brings_the_old_database_back(app: MakeApp) -> None:
    shop = await shop_with_rows(app)
    shop.edit(
        "compose.yaml", 'volumes: ["rows:', SETTING.replace("max_connections=50", "nonsense=1")
    )
    done = await shop.berth("deploy", shop.stack, "--state", "db")
    assert done.code == 1, done.said
    waiting = "until pg_isready -q -h 127.0.0.1 -U shop -d shop; do sleep 0.2; done"
    await shop.exec(f"{shop.project}-db-1", "timeout", "60", "sh", "-c", waiting)
    assert await sql(shop, "SELECT count(*) FROM precious") == "1000"
    assert (await shop.ask()).version == "v1"


async def test_turning_back_past_an_incompatible_migration_brings_its_data_back(
    app: MakeApp,
) -> None:
    shop = await shop_with_rows(app)
    shop.edit("berth.yaml", "timeout: 30s", "timeout: 30s, compatible: false")
    await shop.deploy("v2")
    await sql(shop, "DELETE FROM precious WHERE number > 10")
    refused = await shop.berth("rollback", shop.stack, "--to", "r1")
    assert (refused.code, "--restore-point before-r2" in refused.err) == (2, True), refused.said
    await shop.done("rollback", shop.stack, "--to", "r1", "--restore-point", "before-r2")
    assert await sql(shop, "SELECT count(*) FROM precious") == "1000"
    assert (await shop.ask()).version == "v1"
    kept = await sql(shop, "SELECT datname FROM pg_database WHERE datname LIKE 'shop_until_%'")
    count = ("psql", "-U", "shop", "-d", kept, "-Atc", "SELECT count(*) FROM precious")
    assert await shop.exec(f"{shop.project}-db-1", *count) == "10"
