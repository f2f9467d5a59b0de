"""A tenant goes from one server to another: two engines, two sshds, and a laptop beside them."""

import asyncio
import http.client
import shutil
import sqlite3
import ssl
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.scenario.commands import Ended, docker, end, start
from tests.scenario.engine import IMAGES
from tests.scenario.server import HERE, until
from tests.scenario.sshd import VENV, Far, Laptop

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

RUN = uuid.uuid4().hex[:6]
APP = f"desk-{RUN}"
PROJECT = f"{APP}-prod-acme"
HOST = f"acme.{APP}.test"
IMAGE = f"bm{RUN}/app:v1"
NOBODY = 0
SERVERS = "  servers: {web7: {region: eu}, web8: {region: us}}\n"


@dataclass
class Pair:
    """Two servers, and the app's folder on the laptop."""

    old: Far
    new: Far
    laptop: Laptop

    @property
    def folder(self) -> Path:
        return self.laptop.root / "desk"

    def write(self) -> None:
        self.folder.mkdir()
        for file in (HERE / "testdata/tenants").iterdir():
            text = file.read_text().replace("APP", APP)
            text = text.replace("  mode: silo\n", f"  mode: silo\n{SERVERS}")
            (self.folder / file.name).write_text(text)
        (self.folder / ".env.prod").write_text(f"REGISTRY=bm{RUN}\n")
        (self.folder / ".env.prod").chmod(0o600)

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        line = (str(VENV / "berth"), "-C", str(self.folder), *words)
        return await start(*line, env=self.laptop.variables)

    async def berth(self, *words: str, code: int = 0) -> Ended:
        done = await end(await self.start(*words))
        assert done.code == code, f"exit {done.code}\n{done.said}"
        return done

    async def move(self, *more: str, code: int = 0) -> Ended:
        return await self.berth(*self.moving, *more, code=code)

    @property
    def moving(self) -> tuple[str, ...]:
        return ("tenant", "move", "prod/acme", "--from", self.old.name, "--to", self.new.name)


def ask(server: Far) -> int:
    """What a visitor gets whose DNS leads to this server: a status, or not even a certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with server.engine.inside():
        connection = http.client.HTTPSConnection(HOST, 8443, timeout=10, context=context)
        plain = http.client.HTTPConnection("127.0.0.1", 8443, timeout=10)
        plain.connect()
        assert plain.sock is not None
        try:
            connection.sock = context.wrap_socket(plain.sock, server_hostname=HOST)
        except ssl.SSLError:
            return NOBODY
        connection.request("GET", "/", headers={"Host": HOST})
        return connection.getresponse().status


def psql(server: Far, statement: str) -> str:
    words = ("psql", "-U", "shop", "-d", "shop", "-Atc", statement)
    return server.engine.docker("exec", f"{PROJECT}-db-1", *words)


def state(server: Far) -> str:
    """What the server's store says of the tenant."""
    address = f"file:{server.state / 'store.db'}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as store:
        rows = store.execute("SELECT state FROM tenants").fetchall()
    return str(rows[0][0]) if rows else ""


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    words = ("--build-arg", "VERSION=v1", "--tag", IMAGE, str(HERE / "app"))
    await docker("build", "--quiet", *words)
    servers = [Far(f"web{number}", 10 + number) for number in (7, 8)]
    root = Path(tempfile.mkdtemp(prefix="bl-"))
    try:
        images = [*IMAGES[:3], "berthmaster/postgres:15", IMAGE]
        await asyncio.gather(*(asyncio.to_thread(one.start, images) for one in servers))
        made = Pair(servers[0], servers[1], Laptop(root / "l").knows(*servers))
        made.write()
        for one in servers:
            await made.berth("-S", one.name, "gateway", "up")
        yield made
        await made.laptop.leave()
    finally:
        for one in servers:
            one.destroy()
        shutil.rmtree(root, ignore_errors=True)
        await docker("image", "rm", IMAGE, code=None)


async def test_a_tenant_moves_with_its_data_and_goes_on_after_a_kill(pair: Pair) -> None:
    old, new = pair.old, pair.new
    await pair.berth("tenant", "add", "prod/acme", "--server", "region=eu", "--tag", "v1")
    psql(old, "CREATE TABLE rows AS SELECT generate_series(1, 1000) AS number")
    assert (ask(old), ask(new)) == (200, NOBODY)
    planned = await pair.move("--plan")
    assert "close it, dump its data" in planned.err
    assert ask(old) == 200
    process = await pair.start(*pair.moving)
    await until(lambda: state(old) == "suspended", seconds=60)
    process.kill()
    await end(process)
    assert ask(old) == 503
    async with asyncio.timeout(120):  # what was begun there goes on; until then it is busy
        while (await end(await pair.start(*pair.moving))).code != 0:
            assert ask(old) == 503
    assert psql(new, "SELECT count(*), max(number) FROM rows") == "1000|1000"
    assert (ask(old), ask(new), state(new)) == (503, 200, "active")
    told = await pair.move()
    assert f"DNS: {HOST} must lead to web8 ({new.address})" in told.out
    await _goes_through_a_pipe(pair)
    await pair.move("--finish", "--confirm", f"{APP}@prod/acme")
    assert (ask(old), ask(new), state(old)) == (421, 200, "")
    assert old.engine.docker("ps", "-aq", "--filter", f"name={PROJECT}") == ""


async def _goes_through_a_pipe(pair: Pair) -> None:
    """`export -` and `import -` over ssh are the same bytes; a name that is taken is refused."""
    berth = f"{VENV}/berth -C {pair.folder} -S web8 tenant"
    line = f"{berth} export prod/acme - | tee {pair.laptop.root}/acme.tgz | {berth} import -"
    done = await end(await start("bash", "-c", line, env=pair.laptop.variables))
    assert (done.code, "is known here already" in done.err) == (2, True), done.said
    words = ("tar", "--list", "--gzip", "--file", f"{pair.laptop.root}/acme.tgz")
    listed = await end(await start(*words))
    assert "tenant.json" in listed.out
    assert "points/export-" in listed.out
