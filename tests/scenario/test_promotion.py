"""What stage proved runs in prod, side by side on one server, and nothing else gets there."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator

import pytest
from tests.scenario.commands import docker, end, is_stopped
from tests.scenario.dsl import App, MakeApp
from tests.scenario.server import until

pytestmark = pytest.mark.docker

SMOKE = """\
smoke:
  - {path: /version, headers: {X-Version: %s}}
  - {command: [python3, -c, "import sys; sys.exit(3)"], service: web, exit_code: 3, seconds: 20s}
retention:"""


@pytest.fixture
async def stage(app: MakeApp) -> AsyncIterator[App]:
    """Stage runs a candidate that is v1 as long as nobody pushes its tag again."""
    made = app("web", "stage")
    made.in_environment("prod")
    made.edit("berth.yaml", "retention:", SMOKE % "v1")
    await push(made, "v1")
    yield made
    await docker("image", "rm", candidate(made), code=None)


def candidate(app: App) -> str:
    return f"{app.server.images}/app:rc-{app.name}"


async def push(app: App, version: str) -> None:
    """Make the candidate's tag mean this version."""
    await docker("tag", f"{app.server.images}/app:{version}", candidate(app))
    await docker("push", "--quiet", candidate(app))


async def asked_on(app: App, host: str) -> int:
    """The status that a host gets on the entrypoint of an app's environment."""
    reader, writer = await app.connect()
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    text = (await asyncio.wait_for(reader.read(), 30)).decode()
    writer.close()
    return int(text.split(" ")[1])


@pytest.mark.requirement("R351")
@pytest.mark.requirement("R370")
@pytest.mark.requirement("R371")
async def test_the_artifact_that_stage_verified_is_promoted_and_a_tag_pushed_again_is_not(
    stage: App,
) -> None:
    prod = stage.in_environment("prod")
    await stage.deploy(f"rc-{stage.name}")
    await push(stage, "v2")
    done = await stage.done("promote", "stage", "prod")
    assert "was pushed again" in done.err
    assert ((await stage.ask()).version, (await prod.ask()).version) == ("v1", "v1")
    assert [await asked_on(stage, prod.host), await asked_on(prod, stage.host)] == [421, 421]
    before = await prod.started(*await prod.containers())
    assert "nothing changed" in (await stage.done("promote", "stage", "prod")).out
    assert await prod.started(*await prod.containers()) == before
    await record_is_true(stage, prod)


async def record_is_true(stage: App, prod: App) -> None:
    await stage.done("record", prod.stack)
    found = json.loads((stage.folder / "deployments/prod.json").read_text())
    running = await docker("inspect", "--format", "{{.Config.Image}}", (await prod.containers())[0])
    assert found["images"]["web"]["runs_as"] == running
    assert [item["in"] for item in found["verified"]] == [prod.stack, stage.stack]


async def test_of_two_who_promote_at_once_one_gets_4_and_files_that_change_are_refused(
    stage: App,
) -> None:
    await stage.deploy(f"rc-{stage.name}")
    prod = stage.in_environment("prod")
    place = {"BERTHMASTER_FAILPOINT": "Switch:before@stop"}
    first = await stage.start("promote", "stage", "prod", env=place)
    await until(lambda: is_stopped(first.pid), seconds=100)
    assert prod.lease_holder() is not None
    second = await stage.berth("promote", "stage", "prod")
    assert second.code == 4, second.said
    first.send_signal(signal.SIGCONT)
    done = await end(first)
    assert done.code == 0, done.said
    stage.edit("compose.yaml", "services:", "x-note: changed\nservices:")
    refused = await stage.berth("promote", "stage", "prod")
    assert refused.code == 2
    assert "compose.yaml changed" in refused.err
