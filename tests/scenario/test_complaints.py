"""The README of `examples/complaints`, typed line by line: from the first client to the last.

Only names and ports differ from the page. After it every client is removed, and nothing of them is
left. Proved elsewhere: the application itself and plain Compose (`examples/complaints/test`),
isolation (test_tenants.py), and a hundred of them (`scripts/bench tenants`).
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from bench.load import running
from tests.scenario.complaints import Client, Complaints, commands_of
from tests.scenario.server import Server, remove_by_label

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1500)]

COUNT = 1 + 25  # acme, and who is in the list
LIST = "clients.csv"
LIMIT_SECONDS = 600.0  # for each block of the page, and the load beside it


@dataclass
class Walk:
    """The page's blocks, and what was found on the way."""

    complaints: Complaints

    @property
    def clients(self) -> list[Client]:
        rows = (self.complaints.app.folder / LIST).read_text().splitlines()
        names = ["acme", *(row.split(",")[0] for row in rows[1:])]
        return [self.complaints.client(name) for name in names]

    async def versions(self) -> list[str]:
        return [await client.runs() for client in self.clients]


@pytest.fixture
async def walk(server: Server) -> AsyncIterator[Walk]:
    complaints = Complaints.copied(server)
    complaints.hurried()
    made = Walk(complaints)
    try:
        yield made
    finally:
        for client in made.clients:
            await remove_by_label(client.stack)
        await server.remove_app(complaints.app.name)
        await complaints.remove_images()


async def remove(walk: Walk, client: Client) -> None:
    """Removed with a verified backup, which is deleted with what is known of the name."""
    for verb in ("remove", "forget"):
        name = f"prod/{client.tenant}"
        await walk.complaints.app.done("tenant", verb, name, "--confirm", client.stack)


async def login(client: Client) -> dict[str, object]:
    """Sign in as the administrator, with the client's own secret."""
    folder = client.server.state / "tenants" / client.project / "secrets"
    password = (folder / "admin_password").read_text()
    body = json.dumps({"email": "admin@example.com", "password": password}).encode()
    headers = "Connection: close\r\nContent-Type: application/json"
    answer = await client.ask("/auth/login", body=body, more=headers)
    assert answer.status == 200, answer
    found: dict[str, object] = json.loads(answer.text)
    return found


@pytest.mark.requirement("R252", "R253", "R263")
async def test_the_readme_leads_from_the_first_client_to_its_end(walk: Walk) -> None:
    build, first, many, stopped, mended, end = commands_of("A stack for each client")
    complaints, (acme, gone, bad, *_) = walk.complaints, walk.clients
    await complaints.type(build)
    said = await complaints.type(first)
    assert '"status":"healthy"' in said
    assert await acme.psql("SHOW max_connections") == "20"  # as the size says, and small for it
    assert await acme.psql("SHOW shared_buffers") == "24MB"
    assert (await login(acme))["role"] == "system_administrator"
    await complaints.type(many, seconds=LIMIT_SECONDS)
    assert await walk.versions() == ["v1"] * COUNT
    assert json.loads((await bad.ask("/version")).text)["client"] == "Initech Software"
    loads = [one.requests(LIMIT_SECONDS) for one in (acme, bad)]
    async with running(loads[0]) as mine, running(loads[1]) as theirs:
        await complaints.type(stopped, code=1)
        assert [await one.runs() for one in (acme, bad)] == ["v2", "v1"]
        await complaints.type(mended, seconds=LIMIT_SECONDS)
    assert (mine.lost, theirs.lost) == (0, 0), (mine, theirs)
    assert min(mine.count, theirs.count) > 100
    assert await walk.versions() == ["v2"] * COUNT
    said = await complaints.type(end)
    assert "backup final-" in said
    assert (await gone.ask()).status == 421
    assert await gone.containers(every=True) == []
    for client in walk.clients:
        await remove(walk, client)
    assert await complaints.leftovers() == []
