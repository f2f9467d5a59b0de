"""The server is gone: a backup brings it back on another engine, and says so when it could not."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.apart import free_ports
from tests.scenario.commands import Ended, docker, end
from tests.scenario.dsl import App
from tests.scenario.engine import Engine
from tests.scenario.lost_server import (
    IMAGES_OF_SERVER,
    MARIADB,
    Lost,
    contents,
    damage,
    fill,
    sql,
)
from tests.scenario.proxied import Proxied
from tests.scenario.server import until
from tests.scenario.test_tenants import Client

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


@pytest.fixture
def root() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="bl-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def engines() -> Iterator[tuple[Engine, Engine]]:
    """The server that will be lost, and the fresh one, which has no image at all."""
    old, fresh = Engine(), Engine()
    try:
        old.start(IMAGES_OF_SERVER)
        yield old, fresh
    finally:
        old.destroy()
        fresh.destroy()


def test_a_lost_server_comes_back_whole(root: Path, engines: tuple[Engine, Engine]) -> None:
    old, fresh = engines
    with old.inside():
        lost = Lost(root, old)
        before = asyncio.run(live_and_save(lost))
    lost.lose(fresh)
    fresh.start()
    with fresh.inside():
        asyncio.run(come_back(lost, before))


async def live_and_save(lost: Lost) -> dict[str, dict[str, str]]:
    await lost.server.set_up()
    apps = [*await lost.make(["first"]), *await lost.make(["second"], MARIADB)]
    await apps[0].deploy("v2")
    await tenants(lost)
    await an_adopted_project(lost)
    await a_port_of_a_proxy(lost)
    await a_killed_backup_is_made_again(lost)
    await fill(apps[0], begin=10_000)
    again = (await lost.back_up("--json")).json()
    assert again["bytes_added"] < 3_000_000, again
    assert (len(again["databases"]), len(again["volumes"])) == (4, 5), again
    assert again["removed_tenants"] == [client(lost, "gone").stack], again
    before = {app.name: await contents(app) for app in apps}
    await a_failed_dump_is_a_failed_backup(lost)
    await damage_is_found_and_named(lost)
    return before


def client(lost: Lost, tenant: str) -> Client:
    return Client(lost.server, "desk", tenant=tenant)


async def tenants(lost: Lost) -> None:
    """One that serves, and one that was removed."""
    shop = App(lost.server, "desk").write("tenants")
    for tenant in ("acme", "gone"):
        await shop.done("tenant", "add", f"prod/{tenant}", "--tag", "v1")
        await sql(client(lost, tenant), f"CREATE TABLE theirs AS SELECT '{tenant}' AS name")
    gone = client(lost, "gone")
    await shop.done("tenant", "remove", "prod/gone", "--confirm", gone.stack)


async def an_adopted_project(lost: Lost) -> None:
    """Somebody's own `docker compose up`, and a key in its Redis."""
    blog = App(lost.server, "blog").write("foreign").give(WEB_PORT=str(free_ports(1)[0]))
    where = ("--project-directory", str(blog.folder), "--env-file", str(blog.folder / ".env.prod"))
    await docker("compose", "-p", f"{blog.name}x", *where, "up", "--detach", "--quiet-pull")
    await docker("exec", f"{blog.name}x-redis-1", "redis-cli", "set", "visitor", "cart")
    await blog.done("adopt", f"{blog.name}x", blog.stack)
    assert (await blog.ask()).version == "v1"


def proxied(lost: Lost) -> Proxied:
    front = App(lost.server, "front")
    (port,) = lost.ports
    return Proxied(front, port)


async def a_port_of_a_proxy(lost: Lost) -> None:
    """A gateway that took it, with its owner's certificate."""
    lost.ports = tuple(free_ports(1))
    front = proxied(lost)
    front.app.write("proxied").give(TLS_PORT=str(front.port))
    await front.set_up()
    await front.bring_certificate()
    replaced = await front.replace()
    assert replaced.code == 0, replaced.said
    assert await front.version() == "v1"


async def a_killed_backup_is_made_again(lost: Lost) -> None:
    process = await lost.server.start("server", "backup", "--to", str(lost.target))
    await until(lambda: any((lost.target / "snapshots").glob("*")), seconds=120)
    process.kill()  # some images are there, the rest is not
    await process.wait()
    done = await lost.back_up()
    assert lost.code, done.err
    assert lost.code not in (await lost.back_up("--json")).said
    sound = await lost.back_up("--verify")
    assert "is sound" in sound.out, sound.said


async def a_failed_dump_is_a_failed_backup(lost: Lost) -> None:
    database = "first-" + lost.server.run + "-prod-db-1"
    await docker("stop", database)
    done = await lost.back_up(code=3)
    assert f"database db of first-{lost.server.run}@prod" in done.err, done.err
    await docker("start", database)
    health = await lost.server.berth("health", f"second-{lost.server.run}@prod")
    assert "the last backup failed" in health.out, health.said


async def damage_is_found_and_named(lost: Lost) -> None:
    copy = lost.root / "damaged"
    shutil.copytree(lost.target, copy)
    name = damage(copy)
    done = await lost.server.berth("server", "backup", "--to", str(copy), "--verify")
    assert done.code == 3, done.said
    assert f"data/{name[:2]}/{name}" in done.out, done.said


async def come_back(lost: Lost, before: dict[str, dict[str, str]]) -> None:
    process = await lost.server.start(*lost.restoring())
    await until(lambda: "volume:" in progress_of(lost), seconds=180)
    process.kill()  # files are placed, images are loaded, no stack serves
    await end(process)
    done = await lost.restore()
    assert "5 stacks of" in done.out, done.said
    assert await proxied(lost).version() == "v1"  # at the port that visitors always dialled
    for name, wanted in before.items():
        app = App(lost.server, name.removesuffix(f"-{lost.server.run}"))
        assert (await app.ask()).status == 200
        assert await contents(app) == wanted
        assert (await lost.server.berth("health", app.stack)).code == 0
    await the_project_is_a_stack(lost, done)
    await tenants_are_back(lost, done)
    first = App(lost.server, "first")
    for tag in ("berthmaster/mariadb:10.11", f"{lost.server.images}/app:v2"):
        await docker("image", "inspect", tag)  # no registry knows them here
    assert (await first.ask()).version == "v2"
    rolled = await lost.server.berth("rollback", first.stack)
    assert (rolled.code, (await first.ask()).version) == (0, "v1"), rolled.said
    refused = await lost.server.berth(*lost.restoring())
    assert (refused.code, "stacks of its own" in refused.err) == (2, True), refused.said


async def the_project_is_a_stack(lost: Lost, done: Ended) -> None:
    blog = App(lost.server, "blog")
    assert f"the project {blog.name}x is gone with its server; r1 runs what it ran" in done.out
    assert (await blog.ask()).version == "v1"
    assert await blog.redis("get", "visitor") == ["cart"]
    assert (await lost.server.berth("health", blog.stack)).code == 0
    undo = await blog.berth("adopt", f"{blog.name}x", blog.stack, "--undo")
    assert (undo.code, "was not adopted" in undo.err) == (2, True), undo.said


async def tenants_are_back(lost: Lost, done: Ended) -> None:
    """The one with all that is its own, the removed one as it was: removed, until it is wanted."""
    acme, gone = client(lost, "acme"), client(lost, "gone")
    assert (await acme.ask("/greeting")).text == f"acme at {acme.host} with no plan"
    assert await sql(acme, "SELECT name FROM theirs") == "acme"
    assert f"berth tenant restore {gone.stack}" in done.out
    assert await gone.containers(every=True) == []
    await App(lost.server, "desk").done("tenant", "restore", "prod/gone")
    assert await sql(gone, "SELECT name FROM theirs") == "gone"
    assert (await gone.ask("/greeting")).text == f"gone at {gone.host} with no plan"


def progress_of(lost: Lost) -> str:
    path = lost.server.state / "restore.json"
    return path.read_text() if path.exists() else ""
