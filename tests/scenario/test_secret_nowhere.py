"""A planted secret, looked for where people and programs look: /proc, the engine, what is left.

`test_data.py` looks in what more commands print and in `ps`; here is the rest, over a good deploy,
a bad one, a check, a plan and an error. A variable that the Compose file gives to a service is in
the environment of that service's containers, because it was asked for (D13), and nowhere else; a
secret that is a file is nowhere but in its file.
"""

import asyncio
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from tests.scenario.commands import docker, docker_lines, end, start
from tests.scenario.dsl import App, MakeApp
from tests.scenario.test_data import holders

from berthmaster.adapters.compose.handover import RUN_FOLDER

pytestmark = pytest.mark.docker

APP_ITSELF = "/app/app.py"  # what runs in the containers of the service
GOOD, BAD = ("deploy", "--tag", "v1"), ("deploy", "--tag", "v2")
AFTER = (
    *(("check", "--tag", "v3"), ("check", "--tag", "v3", "--json")),
    *(("plan", "--tag", "v3"), ("plan", "--tag", "v3", "--json"), ("deploy", "--tag", "v99")),
    *(("show", "d1", "--json"), ("show", "d2"), ("show", "d2", "--json"), ("secrets", "list")),
)


def processes_with(planted: Mapping[str, str]) -> set[str]:
    """Command lines of the whole machine, and environments outside of containers, with a value.

    What a program does with its own secret inside its container is its image's business.
    """
    found = set[str]()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            line, environ = ((folder / name).read_bytes() for name in ("cmdline", "environ"))
            is_inside = os.readlink(folder / "ns/pid") != os.readlink("/proc/self/ns/pid")
        except OSError:  # it ended
            continue
        program = line.split(b"\0")[0].decode(errors="replace")
        for name, value in planted.items():
            if value.encode() in line:
                found.add(f"{name} in the command line of {program}")
            if value.encode() in environ and not is_inside:
                found.add(f"{name} in the environment of {program}")
    return found


async def watched(shop: App, planted: Mapping[str, str], *words: str, code: int) -> str:
    """Run a command, and look at all processes meanwhile; what was said."""
    process = await shop.start(*words)
    ending, seen = asyncio.create_task(end(process)), set[str]()
    looks = 0
    while not ending.done():
        seen |= await asyncio.to_thread(processes_with, planted)
        looks += 1
        await asyncio.wait({ending}, timeout=0.1)
    done = await ending
    assert (done.code, seen) == (code, set()), done.said
    assert looks > 3
    return done.said


async def inspected(shop: App) -> str:
    """What the engine tells of the stack, without the environment of its own service's."""
    wanted = ("--filter", f"label=berthmaster.stack={shop.stack}")
    told = ""
    for kind in ("container", "network", "volume"):
        every = ("--all",) if kind == "container" else ()
        for name in await docker_lines(kind, "ls", *every, "--quiet", *wanted):
            (facts,) = json.loads(await docker(kind, "inspect", name))
            if kind == "container":
                told += (await end(await start("docker", "logs", name))).said
                if facts["Config"]["Cmd"][1:2] == [APP_ITSELF]:
                    facts["Config"].pop("Env")
            told += json.dumps(facts)
    return told


def left_in_memory(planted: Mapping[str, str]) -> set[str]:
    """Files that a model was handed over in."""
    found = set[str]()
    for folder, _, names in os.walk(RUN_FOLDER):
        for path in (Path(folder, name) for name in names):
            with suppress(FileNotFoundError):  # of a command beside this, which has ended
                content = path.read_bytes() if path.is_file() else b""
                found |= {str(path) for value in planted.values() if value.encode() in content}
    return found


def planted_in(shop: App) -> dict[str, str]:
    planted = {name: secrets.token_hex(24) for name in ("PLANTED", "token", "db_password")}
    shop.secret("token", planted["token"]).secret("db_password", planted["db_password"])
    shop.give(PLANTED=planted["PLANTED"])
    return planted


@pytest.mark.requirement("R338")
async def test_a_planted_secret_is_in_no_process_and_in_nothing_the_engine_tells(
    app: MakeApp,
) -> None:
    shop = app("data")
    planted = planted_in(shop)
    said = await watched(shop, planted, *GOOD, code=0) + await inspected(shop)
    shop.give(BROKEN="migration")
    said += await watched(shop, planted, *BAD, code=1) + await inspected(shop)
    for words in AFTER:
        said += (await shop.berth(*words)).said
    for gateway in (shop.server.router, shop.server.edge):
        said += await docker("inspect", gateway)
        said += (await end(await start("docker", "logs", gateway))).said
    assert "berthmaster.stack" in said
    assert "relation monitors does not exist" in said
    assert not [name for name, value in planted.items() if value in said]
    assert holders(shop, planted) == set()
    assert left_in_memory(planted) == set()


async def test_the_search_finds_what_is_planted_where_it_must_not_be(app: MakeApp) -> None:
    """Otherwise it would find nothing, whatever there is."""
    shop = app("data")
    planted = planted_in(shop)
    log = shop.server.state / f"planted-{shop.name}.log"
    log.write_text(f"said {planted['token']}\n")
    RUN_FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    model = RUN_FOLDER / f"planted-{shop.name}"
    model.write_text(planted["db_password"])
    one = await start("sleep", "30", env={"X": planted["PLANTED"]})
    other = await start("tail", "-f", "/dev/null", planted["token"])
    try:
        assert holders(shop, planted) == {str(log)}
        assert left_in_memory(planted) == {str(model)}
        assert await asyncio.to_thread(processes_with, planted) >= {
            "PLANTED in the environment of sleep",
            "token in the command line of tail",
        }
    finally:
        for process in (one, other):
            process.kill()
            await process.wait()
        log.unlink()
        model.unlink()
