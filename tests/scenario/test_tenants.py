"""Customers with a stack each, on a real Docker: made, kept apart, rolled out, ended."""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from bench.load import run
from tests.scenario.commands import docker, docker_lines, end
from tests.scenario.dsl import App
from tests.scenario.server import Server, is_open, remove_by_label, until
from tests.scenario.test_inside import admin_ports, holding
from tests.scenario.test_neighbours import address_of, can_reach, listener

pytestmark = pytest.mark.docker

POSTGRES = 5432
REQUESTS = 8  # at once, of the size `small`
_numbers = itertools.count(1)  # a tombstone keeps its name


@dataclass
class Client(App):
    """One tenant of an app, asked at its own host."""

    tenant: str = ""

    @property
    def stack(self) -> str:
        return f"{self.name}@prod/{self.tenant}"

    @property
    def project(self) -> str:
        return f"{self.name}-prod-{self.tenant}"

    @property
    def host(self) -> str:
        return f"{self.tenant}.{self.name}.test"

    @property
    def database(self) -> str:
        return f"{self.project}-db-1"

    async def web(self) -> str:
        (found,) = [name for name in await self.containers() if "-web-" in name]
        return found

    async def psql(self, statement: str) -> str:
        words = ("psql", "-U", "shop", "-d", "shop", "-Atc", statement)
        return await self.exec(self.database, *words)

    async def everything(self) -> str:
        """All of its database, as text; `\\restrict` has another word in each dump."""
        text = await self.exec(self.database, "pg_dump", "-U", "shop", "-d", "shop")
        return "\n".join(line for line in text.splitlines() if "restrict " not in line)

    def secret_files(self) -> set[str]:
        folder = self.server.state / "tenants" / self.project / "secrets"
        return {path.read_text() for path in folder.iterdir() if not path.name.startswith(".")}


@dataclass
class Customers:
    """The app and its tenants."""

    shop: App

    def client(self, tenant: str) -> Client:
        name = self.shop.name.removesuffix(f"-{self.shop.server.run}")
        return Client(self.shop.server, name, tenant=tenant)

    async def add(self, *tenants: str, more: str = "") -> list[Client]:
        """Many from a file, as somebody does who takes in a list of clients."""
        lines = ["name,resources,PLAN", *(f"{name},small,gold" for name in tenants)]
        (self.shop.folder / "clients.csv").write_text("\n".join(lines) + "\n")
        file = str(self.shop.folder / "clients.csv")
        await self.shop.done("tenant", "add", "prod", "--from", file, "--tag", "v1")
        return [self.client(name) for name in tenants]


@pytest.fixture
async def customers(server: Server) -> AsyncIterator[Customers]:
    shop = App(server, f"clients{next(_numbers)}").write("tenants")
    yield Customers(shop)
    for row in server.rows("SELECT stack FROM tenants WHERE app = ?", shop.name):
        await remove_by_label(str(row[0]))
    await server.remove_app(shop.name)


async def gateways(client: Client) -> list[str]:
    names = await docker_lines(
        "network",
        "ls",
        "--filter",
        f"label=berthmaster.stack={client.stack}",
        "--format",
        "{{.Name}}",
    )
    form = ("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    return [await docker(*form, name) for name in names]


@pytest.mark.requirement("R232", "R236", "R249", "R250")
async def test_a_tenant_reaches_nothing_of_another(customers: Customers) -> None:
    acme, beta = await customers.add("acme", "beta")
    for client in (acme, beta):
        answer = await client.ask("/greeting")
        assert answer.text == f"{client.tenant} at {client.host} with gold"
    await _is_alone(acme, beta)
    await _is_limited(acme)
    await _is_noisy(acme, beta)
    assert len(acme.secret_files()) == 2
    assert not acme.secret_files() & beta.secret_files()
    shown = (await customers.shop.done("tenant", "show", "prod/acme", "--json")).json()
    assert shown["state"] == "up"
    assert 1_000_000 < shown["memory_bytes"] < 192 * 2**20
    assert shown["disk_bytes"] > 10_000_000
    await _ends_without_a_trace(acme, beta)


async def _is_alone(acme: Client, beta: Client) -> None:
    inside, theirs = await acme.web(), await beta.web()
    for client, name in ((acme, inside), (beta, theirs)):
        own = await address_of(client.database, f"{client.project}-state")
        assert await can_reach(name, own, POSTGRES)
    foreign = await address_of(beta.database, f"{beta.project}-state")
    assert not await can_reach(inside, foreign, POSTGRES)
    web = await address_of(theirs, f"{beta.project}-r1-net")
    assert await can_reach(theirs, web, 8000)
    assert not await can_reach(inside, web, 8000)
    admin = admin_ports(acme.server)
    assert any(is_open(port) for port in admin)
    async with listener() as port:
        for address in await gateways(acme):
            assert await can_reach(inside, address, acme.server.https)
            assert not [one for one in (port, *admin) if await can_reach(inside, address, one)]
    for name in (inside, acme.database):
        form = "{{range .Mounts}}{{.Source}} {{.Name}} {{end}}"
        mounts = (await docker("inspect", "--format", form, name)).split()
        assert any(acme.project in mount for mount in mounts)
        assert not [mount for mount in mounts if beta.project in mount or "docker.sock" in mount]
    for value in beta.secret_files():
        assert await holding(theirs, value) or await holding(beta.database, value)
        assert not await holding(inside, value)
        assert not await holding(acme.database, value)


async def _is_limited(client: Client) -> None:
    assert await client.psql("SHOW max_connections") == "20"
    for name, megabytes in ((await client.web(), 96), (client.database, 192)):
        found = await docker("inspect", "--format", "{{.HostConfig.Memory}}", name)
        assert int(found) == megabytes * 2**20
    cpus = await docker("inspect", "--format", "{{.HostConfig.NanoCpus}}", await client.web())
    assert int(cpus) == 500_000_000


async def _is_noisy(acme: Client, beta: Client) -> None:
    """One that is asked for more than its size gives: it waits, and its neighbour does not."""
    noise = replace(acme.visits(), path="/sleep?seconds=0.1", clients=40, seconds=4.0)
    async with beta.load() as beside:
        tally = await run(noise)
    assert tally.lost == 0, tally.summary()  # 40 clients in turns of 8: half a second each
    assert 20 * 4 < tally.count < 1.15 * 4 / 0.1 * REQUESTS, tally.summary()
    assert beside.lost == 0, beside.summary()
    assert tally.delay(0.5) > 0.3, tally.summary()
    # A shared queue would make both wait alike; a busy machine makes both wait longer.
    assert beside.delay(0.9) < tally.delay(0.5) / 2, (beside.summary(), tally.summary())


async def _ends_without_a_trace(acme: Client, beta: Client) -> None:
    """Removing one leaves the other as it was, byte for byte; forgetting it leaves nothing."""
    await beta.psql("CREATE TABLE rows AS SELECT generate_series(1, 1000) AS number")
    names = [beta.database, await beta.web()]
    before = await beta.everything(), await beta.started(*names), beta.secret_files()
    assert await acme.world()
    await acme.done("tenant", "remove", "prod/acme", "--confirm", acme.stack)
    await acme.done("tenant", "forget", "prod/acme", "--confirm", acme.stack)
    assert await acme.world() == set()
    assert not [path for path in acme.server.state.glob("dumps/*/*") if acme.project in str(path)]
    assert not [
        path for path in acme.server.state.glob("tenants/*/secrets/*") if acme.project in str(path)
    ]
    assert (await beta.everything(), await beta.started(*names), beta.secret_files()) == before
    assert (await beta.ask()).status == 200


async def test_a_removed_tenant_comes_back_and_moves_in_a_file(customers: Customers) -> None:
    (acme,) = await customers.add("acme")
    await acme.psql("CREATE TABLE rows AS SELECT generate_series(1, 1000) AS number")
    data, kept = await acme.everything(), acme.secret_files()
    await acme.done("tenant", "suspend", "prod/acme")
    assert (await acme.ask()).status == 503
    assert await acme.containers() == []
    removed = await acme.done("tenant", "remove", "prod/acme", "--confirm", acme.stack)
    assert "backup final-" in removed.out
    assert (await acme.ask()).status == 421
    await acme.done("tenant", "restore", "prod/acme")
    assert ((await acme.ask()).status, acme.secret_files()) == (200, kept)
    assert await acme.everything() == data
    assert await acme.psql("SELECT count(*) FROM pg_database WHERE datname LIKE '%until%'") == "0"
    file = acme.server.root / "acme.tgz"
    await acme.done("tenant", "export", "prod/acme", str(file))
    assert file.stat().st_mode & 0o077 == 0
    for verb in ("remove", "forget"):
        await acme.done("tenant", verb, "prod/acme", "--confirm", acme.stack)
    await acme.done("tenant", "import", str(file))
    assert await acme.everything() == data
    assert (await acme.ask()).version == "v1"


@pytest.mark.requirement("R263")
async def test_a_rollout_loses_nothing_and_stops_at_bad_data(customers: Customers) -> None:
    acme, beta, gamma = await customers.add("acme", "beta", "gamma")
    await beta.psql("CREATE TABLE rows AS SELECT 1 AS number FROM generate_series(1, 2)")
    for client in (acme, gamma):
        await client.psql("CREATE TABLE rows (number int)")
    customers.shop.give(MIGRATION="CREATE UNIQUE INDEX IF NOT EXISTS one ON rows (number)")
    rollout = ("rollout", "prod", "--tag", "v2", "--wave", "1", "--parallel", "1")
    async with acme.load() as mine, beta.load() as theirs:
        done = await customers.shop.berth(*rollout)
    assert done.code == 1, done.said
    assert (mine.lost, theirs.lost) == (0, 0), (mine, theirs)
    assert mine.count > 100
    versions = [(await one.ask()).version for one in (acme, beta, gamma)]
    assert versions == ["v2", "v1", "v1"]
    assert "is stopped: 1 pending, 1 done, 1 failed" in done.out
    await beta.psql("DELETE FROM rows")  # somebody mends the data, and the next run is killed
    await _killed_in_the_middle(customers)
    await customers.shop.done("rollout", "prod", "--continue")
    assert {(await one.ask()).version for one in (acme, beta, gamma)} == {"v2"}
    await customers.shop.done("rollout", "prod", "--back")
    assert {(await one.ask()).version for one in (acme, beta, gamma)} == {"v1"}


async def _killed_in_the_middle(customers: Customers) -> None:
    process = await customers.shop.start("rollout", "prod", "--continue")
    query = "SELECT count(*) FROM rollout_tenants WHERE state = 'running'"
    await until(lambda: customers.shop.server.rows(query) == [(1,)])
    await asyncio.sleep(0)
    process.send_signal(signal.SIGKILL)
    await end(process)
    assert customers.shop.server.rows("SELECT state FROM rollouts ORDER BY id DESC LIMIT 1") == [
        ("running",)
    ]
