"""A database, its restore points, migrations, and secrets."""

import asyncio
import os
import secrets
from contextlib import suppress
from pathlib import Path

import pytest
from tests.scenario.commands import Ended, docker, end, start
from tests.scenario.dsl import App, MakeApp

pytestmark = pytest.mark.docker


async def with_database(app: MakeApp, *, password: str = "", token: str = "") -> App:
    shop = app("data").secret("token", token or secrets.token_hex(20))
    shop.secret("db_password", password or secrets.token_hex(20))
    await shop.deploy("v1")
    return shop


async def psql(shop: App, statement: str) -> str:
    return await shop.exec(
        f"{shop.project}-db-1", *("psql", "-U", "shop", "-d", "shop", "-Atc", statement)
    )


@pytest.mark.requirement("R150", "R25")
async def test_a_failing_migration_is_unwound_and_a_restore_point_was_taken(app: MakeApp) -> None:
    shop = await with_database(app)
    await psql(shop, "CREATE TABLE precious AS SELECT generate_series(1, 100) AS number")
    before, database = await shop.world(), await shop.started(f"{shop.project}-db-1")
    async with shop.watched() as seen:
        done = await shop.give(BROKEN="migration").deploy("v2", code=1)
    assert "relation monitors does not exist" in done.err, done.err
    assert (seen.versions, seen.lost) == (["v1"], [])
    assert await shop.world() == before
    assert await shop.started(f"{shop.project}-db-1") == database
    assert await psql(shop, "SELECT count(*) FROM precious") == "100"
    dumps = shop.server.state / "dumps" / shop.project
    (dump,) = dumps.rglob("shop.dump")
    assert "TABLE DATA public precious" in await contents_of(shop, dump)
    assert dump.stat().st_mode & 0o077 == 0


async def contents_of(shop: App, dump: Path) -> str:
    database = f"{shop.project}-db-1"
    await docker("cp", str(dump), f"{database}:/tmp/dump")
    return await shop.exec(database, "pg_restore", "-l", "/tmp/dump")


async def test_a_secret_is_readable_by_its_user_and_by_nobody_else(app: MakeApp) -> None:
    shop = await with_database(app, token=secrets.token_hex(20)[:33])
    assert (await shop.ask("/secret")).text == "uid 10001 mode 400 length 33"
    copies = [path for path in (shop.server.state / "stacks").rglob("*") if path.is_file()]
    found = [path for path in copies if "token" in path.name]
    assert [(path.stat().st_uid, path.stat().st_mode & 0o777) for path in found] == [(10001, 0o400)]
    for parent in found[0].parents:
        if parent == shop.server.state:
            break
        assert parent.stat().st_mode & 0o077 == 0, parent


@pytest.mark.requirement("R338")
async def test_planted_secrets_are_found_nowhere(app: MakeApp) -> None:
    planted = {name: secrets.token_hex(24) for name in ("env", "file", "password")}
    shop = app("data").secret("token", planted["file"]).secret("db_password", planted["password"])
    shop.give(PLANTED=planted["env"])
    said = [await watching_processes(shop, planted, "v1", code=0)]
    shop.give(BROKEN="error")
    said.append(await watching_processes(shop, planted, "v2", code=1))
    for words in (
        *(
            ("plan", "--tag", "v3"),
            ("plan", "--tag", "v3", "--json"),
            ("show",),
            ("show", "--json"),
        ),
        *(("status", "--json"), ("releases", "--json"), ("health", "--json"), ("logs",)),
        *(("show", "d1"), ("show", "d1", "--json"), ("compose", "ps"), ("check", "--tag", "v3")),
    ):
        said.append(await shop.berth(*words))
    for done in said:
        assert not [name for name, value in planted.items() if value in done.said], done.said
    assert holders(shop, planted) == set()


async def watching_processes(shop: App, planted: dict[str, str], tag: str, *, code: int) -> Ended:
    """Deploy, and look at every command line of the machine meanwhile."""
    process = await shop.start("deploy", shop.stack, "--tag", tag)
    seen, looks = set[str](), 0
    while process.returncode is None and not process.stdout.at_eof():  # type: ignore[union-attr]
        listed = (await end(await start("ps", "-eo", "args"))).out
        seen |= {name for name, value in planted.items() if value in listed}
        looks += 1
        await asyncio.sleep(0.1)
    done = await end(process)
    assert (done.code, seen) == (code, set()), done.said
    assert looks > 3
    return done


def holders(shop: App, planted: dict[str, str]) -> set[str]:
    """Files of the server that hold a planted value, but for the secrets placed for containers."""
    found = set()
    for folder, _, names in os.walk(shop.server.state):
        for path in (Path(folder, name) for name in names):
            is_placed = "secrets" in path.parts
            with suppress(FileNotFoundError):  # the edge takes its locks away
                content = path.read_bytes() if path.is_file() and not is_placed else b""
                found |= {str(path) for value in planted.values() if value.encode() in content}
    return found
