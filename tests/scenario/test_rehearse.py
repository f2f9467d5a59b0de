"""A move to another layout, tried beside production, shipped and taken back (documents 000, 001).

Production's database and queue are the same containers, started once, with the same data, from the
first moment to the last.
"""

import json
import secrets
import signal
import ssl
from asyncio import open_connection, wait_for

import pytest
from tests.scenario.dsl import App, MakeApp

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]
PLACES = ("api=web", "worker=worker", "beat=beat", "db=db", "redis=redis")
MAP = tuple(word for place in PLACES for word in ("--map", f"mod_{place}"))
CHECKSUM = "SELECT md5(string_agg(number::text, ',' ORDER BY number)) FROM precious"


async def in_production(app: MakeApp) -> App:
    """The old layout, with rows and a session that must outlive everything."""
    shop = app("cutover").secret("token", secrets.token_hex(20))
    await shop.deploy("v1")
    await psql(shop, "CREATE TABLE precious AS SELECT generate_series(1, 1000) AS number")
    await shop.redis("SET", "session", "ann")
    return shop


async def psql(shop: App, statement: str, project: str = "") -> str:
    container = f"{project or shop.project}-db-1"
    return await shop.exec(container, "psql", "-U", "shop", "-d", "shop", "-Atc", statement)


async def state_of(shop: App) -> tuple[list[str], str, list[str]]:
    """Containers, their starts, and what is in them."""
    started = await shop.started(f"{shop.project}-db-1", f"{shop.project}-redis-1")
    return started, await psql(shop, CHECKSUM), await shop.redis("GET", "session")


async def ask_copy(shop: App, path: str) -> str:
    """Through the gateway, by the copy's own name and certificate."""
    context = ssl.create_default_context(cafile=str(shop.server.ca_file))
    host = f"rehearsal.{shop.host}"
    reader, writer = await open_connection(
        "127.0.0.1", shop.server.https, ssl=context, server_hostname=host
    )
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    text = (await wait_for(reader.read(), 30)).decode()
    writer.close()
    return text


@pytest.mark.requirement("R5", "R8", "R12", "R25", "R35")
async def test_a_new_layout_is_rehearsed_shipped_and_taken_back(app: MakeApp) -> None:
    shop = await in_production(app)
    before, copy = await state_of(shop), f"{shop.project}-rehearsal"
    others = await shop.started(*await shop.containers())
    words = ("--tag", "v2", "--overlay", "mod.yaml", *MAP)

    async with shop.watched() as seen:
        place = {"BERTHMASTER_FAILPOINT": "SwapDatabase:after_unrecorded"}
        killed = await shop.berth("rehearse", "prod", *words, env=place)
        assert killed.code == -signal.SIGKILL, killed.said
        done = await shop.done("rehearse", "prod", *words, "--json")
    begun = json.loads(done.out)
    assert (seen.versions, seen.lost) == (["v1"], [])
    assert begun["hosts"] == [f"rehearsal.{shop.host}"]
    assert begun["is_good"], begun
    assert {item["production"].split()[0] for item in begun["parity"]} == {"200"}
    await check_apart(shop, copy, begun["release"])
    assert await shop.started(*await shop.containers()) == others
    assert await state_of(shop) == before

    tried = json.loads((await shop.done("rollback", "prod", "--rehearse", "--json")).out)
    assert (tried["to"], tried["is_warm"], tried["changed"]) == (1, True, [])
    assert tried["untouched"] == len(others), tried
    assert 0 < tried["switch_seconds"] < 30, tried
    assert await state_of(shop) == before

    async with shop.load() as tally:
        shipped = json.loads((await shop.done("rehearse", "ship", "prod", "--json")).out)
        assert (await shop.ask()).version == "v2"
    assert (shipped["verb"], shipped["release"], tally.lost) == ("ship", 2, 0), tally
    assert await layout(shop, 2) == "modular redis://redis:6379/0 postgres://shop@db:5432/shop"
    assert await state_of(shop) == before

    async with shop.load() as tally:
        await shop.done("rollback", "prod")
        assert (await shop.ask()).version == "v1"
    assert tally.lost == 0, tally
    assert await state_of(shop) == before

    await shop.done("rehearse", "finish", "prod")
    left = {item for item in await everything(shop) if "rehearsal" in item}
    assert left == set()
    assert await state_of(shop) == before


async def check_apart(shop: App, copy: str, release: int) -> None:
    """The copy has the data, a queue, a scheduler and secrets of its own."""
    assert await psql(shop, CHECKSUM, copy) == await psql(shop, CHECKSUM)
    await psql(shop, "DELETE FROM precious", copy)
    redis = f"{copy}-redis-1"
    beats = await shop.exec(redis, "redis-cli", "LRANGE", "beats", "0", "-1")
    assert {line.split()[0] for line in beats.splitlines()} == {"v2"}
    mine = await shop.redis("LRANGE", "beats", "0", "-1")
    assert {line.split()[0] for line in mine} == {"v1"}
    assert (await shop.exec(redis, "redis-cli", "GET", "session")).strip() == ""
    assert (await ask_copy(shop, "/greeting")).endswith("rehearsal")
    assert (await shop.ask("/greeting")).text == "production"
    tokens = {
        await shop.exec(f"{name}-web-1", "cat", "/run/secrets/token")
        for name in (f"{shop.project}-r1", f"{copy}-r{release}")
    }
    assert len(tokens) == 2


async def layout(shop: App, release: int) -> str:
    words = ("sh", "-c", "echo $LAYOUT $BROKER $DATABASE_URL")
    return (await shop.exec(f"{shop.project}-r{release}-web-1", *words)).strip()


async def everything(shop: App) -> set[str]:
    """What the server has of the app, of its copy too."""
    found = App(shop.server, shop.name.removesuffix(f"-{shop.server.run}"), "prod")
    names = await found.world()
    state = shop.server.state
    files = {
        str(path.relative_to(state))
        for path in state.rglob("*")
        if path.is_file() and shop.project in str(path) and path.name != ".gitignore"
    }
    rows = shop.server.rows("SELECT id FROM stacks")
    return names | files | {str(row[0]) for row in rows}
