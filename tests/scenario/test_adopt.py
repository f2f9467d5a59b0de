"""A Compose project that runs is adopted, deployed to, turned back and given back, under load."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bench.load import running
from tests.apart import free_ports
from tests.scenario.commands import docker, docker_lines, end, remove_project, start
from tests.scenario.dsl import MakeApp
from tests.scenario.foreign import CHECKSUM, Foreign
from tests.scenario.server import Server, until

pytestmark = pytest.mark.docker


@pytest.fixture
async def foreign(app: MakeApp) -> AsyncIterator[Foreign]:
    shop = app("foreign")
    (port,) = free_ports(1)
    made = Foreign(shop.give(WEB_PORT=str(port)), port)
    try:
        await made.compose("up", "--detach", "--quiet-pull")
        await until(lambda: answers(made))
        await made.fill()
        yield made
    finally:
        await shop.berth("adopt", made.project, shop.stack, "--undo")
        await remove_project(made.project)


async def answers(made: Foreign) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.close()
    except (EOFError, OSError, TimeoutError):
        return False
    return b" 200 " in text


async def test_a_running_project_is_adopted_deployed_turned_back_and_given_back(
    foreign: Foreign,
) -> None:
    shop, before, things = foreign.app, await foreign.inspect(), await foreign.things()
    sessions, rows = await foreign.redis("HGETALL", "sessions"), await foreign.psql(CHECKSUM)
    assert rows.startswith("5000|")

    planned = await shop.done("adopt", foreign.project, shop.stack, "--plan")
    assert "record as live" in planned.out
    assert await foreign.inspect() == before
    assert await foreign.things() == things
    assert shop.server.rows("SELECT id FROM stacks WHERE id = ?", shop.stack) == []

    async with running(foreign.load()) as owners:
        await shop.done("adopt", foreign.project, shop.stack)
        assert (await shop.ask()).version == "v1"
        assert "r0" in (await shop.done("status")).out
        await shop.done("health", shop.stack)
        async with shop.load() as tally:
            await shop.deploy("v2")
            assert (await shop.ask()).version == "v2"
            await shop.done("health", shop.stack)
            state = await foreign.inspect("db", "redis")
            for name, item in state.items():
                assert item["State"]["StartedAt"] == before[name]["State"]["StartedAt"]
                assert item["Id"] == before[name]["Id"]
            assert await foreign.psql("SELECT DISTINCT note FROM rows") == "new"
            assert not (await foreign.inspect("worker"))["worker-1"]["State"]["Running"]
            await shop.done("rollback", shop.stack, "--to", "r0")
            assert (await shop.ask("/rows")).status == 200
            assert (await shop.ask()).version == "v1"
        await shop.done("adopt", foreign.project, shop.stack, "--undo")
    assert (tally.lost, owners.lost) == (0, 0), (tally.summary(), owners.summary())
    assert tally.count > 50
    assert owners.count > 50

    after = await foreign.inspect()
    for name in ("db-1", "redis-1", "web-1"):  # not even restarted
        assert after[name] == before[name]
    for name in ("beat-1", "worker-1"):  # these handed their work over and took it back
        assert after[name]["Id"] == before[name]["Id"]
        assert after[name]["State"]["Running"]
        assert after[name]["Config"] == before[name]["Config"]
        networks = (one[name]["NetworkSettings"]["Networks"] for one in (after, before))
        assert len({tuple(found) for found in networks}) == 1
    assert await foreign.things() == things
    assert await foreign.redis("HGETALL", "sessions") == sessions
    assert await foreign.psql(CHECKSUM) == rows
    assert await shop.world() == set()


async def test_what_cannot_be_adopted_is_said_and_left_alone(foreign: Foreign) -> None:
    shop, before = foreign.app, await foreign.inspect()
    done = await shop.berth("adopt", "nobodys-project", shop.stack)
    assert (done.code, "docker compose ls" in done.err) == (2, True)
    await foreign.compose("stop", "--timeout", "1", "web")
    done = await shop.berth("adopt", foreign.project, shop.stack)
    assert done.code == 2
    assert "web has a route and does not run: docker compose up -d web" in done.err
    assert (await foreign.inspect("redis"))["redis-1"] == before["redis-1"]
    assert shop.server.rows("SELECT id FROM stacks WHERE id = ?", shop.stack) == []


PROXY_PORT = 9443  # in examples/guestbook/proxy/compose.yaml
CLONE = """\
git init --quiet
git config user.name Somebody
git config user.email somebody@example.com
git add examples
git commit --quiet --message "as it was cloned"
"""
STATE = "{{.HostConfig.RestartPolicy.Name}} {{.State.Status}}"
TUTORIAL = Path(__file__).parents[2] / "docs" / "you-already-run-compose.md"


async def test_the_tutorial_goes_as_it_is_written(server: Server, tmp_path: Path) -> None:
    shutil.copytree(TUTORIAL.parents[1] / "examples", tmp_path / "examples")
    blocks = re.findall(r"```sh\n(.*?)```", TUTORIAL.read_text(), re.DOTALL)
    up, init, commit, adopt, deploy, undo, *handing_over = blocks
    folder = tmp_path / "examples" / "guestbook"
    await typed(server, tmp_path, CLONE)
    try:
        assert "version 1, visit 1" in await typed(server, tmp_path, up)
        await typed(server, folder, init)
        await typed(server, folder, commit)
        before = await ids()
        await typed(server, folder, adopt)
        visits = [await visited(server, version="1")]
        to_two, back = deploy.strip().rsplit("\n", 1)
        said = await typed(server, folder, to_two)
        # Whoever came that way in the last minute, as the page's first curl, may be named before.
        assert re.search(r"r0 goes on running: .*\bport 127.0.0.1:8090 leads to it", said), said
        visits.append(await visited(server, version="2"))
        await typed(server, folder, back)
        visits.append(await visited(server, version="1"))
        assert 1 < visits[0] < visits[1] < visits[2]  # one Redis counts for all, probes too
        assert "guestbook-web-1" in await typed(server, folder, undo)
        assert await ids() == before
        assert await docker_lines("network", "ls", "--quiet", "--filter", "name=guestbook-") == []
        proxy, replace, back = handing_over
        await typed(server, folder, proxy)
        certificate = folder / "proxy/cert.pem"
        await until(lambda: shows(server, certificate, port=PROXY_PORT))
        said = await typed(server, folder, replace)
        assert "measured: 0 of" in said
        assert await docker("inspect", "--format", STATE, "guestbook-proxy") == "no exited"
        assert await shows(server, certificate, port=PROXY_PORT)
        assert "guestbook-proxy" in await typed(server, folder, back)
        assert await docker("inspect", "--format", STATE, "guestbook-proxy") == "always running"
        assert await shows(server, certificate, port=PROXY_PORT)
        assert await ids() == before
    finally:
        await server.berth("rollback", "guestbook@prod", "--to", "r0")  # only r0 is given back
        await server.berth("adopt", "guestbook", "guestbook@prod", "--undo")
        await server.berth("cert", "remove", "guestbook.localhost")
        await remove_project("guestbook-proxy")
        await remove_project("guestbook")


async def shows(server: Server, certificate: Path, *, port: int) -> bool:
    """Whether the guestbook answers there with its owner's certificate."""
    host = "guestbook.localhost"
    where = ("--resolve", f"{host}:{port}:127.0.0.1", f"https://{host}:{port}/")
    done = await end(await start("curl", "-sf", "--cacert", str(certificate), *where))
    return "visit" in done.out


async def ids() -> list[str]:
    names = ("guestbook-web-1", "guestbook-redis-1")
    return await docker_lines("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", *names)


async def typed(server: Server, folder: Path, block: str) -> str:
    """Type a block of the page in a folder."""
    bin_folder = str(Path(sys.executable).parent)
    settings = {"BERTHMASTER_SETTINGS": str(server.root / "settings.toml")}
    env = {**settings, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    script = f"cd {folder}\n{block}"
    done = await end(await start("bash", "-euo", "pipefail", "-c", script, env=env))
    assert done.code == 0, done.said
    return done.said


async def visited(server: Server, *, version: str) -> int:
    """The number of this visit, which this version answers."""
    host = "guestbook.localhost"
    done = await end(
        await start(
            *("curl", "-s", "--cacert", str(server.ca_file)),
            *("--resolve", f"{host}:{server.https}:127.0.0.1", f"https://{host}:{server.https}/"),
        )
    )
    match = re.fullmatch(r"version (\d+), visit (\d+)\n", done.out)
    assert match, done.said
    assert match[1] == version
    return int(match[2])


async def test_a_foreign_compose_file_answers_over_https_after_init_and_deploy(
    server: Server, tmp_path: Path
) -> None:
    folder = tmp_path / "guestbook"
    shutil.copytree(TUTORIAL.parents[1] / "examples" / "guestbook", folder)
    try:
        await typed(server, folder, "berth init\nberth deploy prod")
        assert await visited(server, version="1") > 0
    finally:
        await server.berth("destroy", "guestbook@prod", "--confirm", "guestbook@prod")
