"""Deploying: the first time, again under load, and with nothing changed."""

from pathlib import Path

import pytest
from tests.scenario.commands import docker
from tests.scenario.dsl import MakeApp
from tests.scenario.server import Server

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("environment", ["prod", "stage"])
async def test_a_first_deploy_answers_on_its_entrypoint(app: MakeApp, environment: str) -> None:
    shop = app("web", environment)
    done = await shop.deploy("v1")
    assert "r1 is live" in done.out
    answer = await shop.ask("/")
    assert (answer.status, answer.text, answer.version) == (200, "hello from v1", "v1")
    assert (await shop.ask("/", body=b"a body")).text == "a body"


@pytest.mark.requirement("R49")
@pytest.mark.parametrize("environment", ["prod", "stage"])
async def test_a_second_deploy_loses_no_request(app: MakeApp, environment: str) -> None:
    shop = app("web", environment)
    await shop.deploy("v1")
    async with shop.load() as tally, shop.watched() as seen:
        await shop.deploy("v2")
    assert tally.lost == 0, tally.summary()
    assert set(tally.versions) == {"v1", "v2"}
    assert (seen.versions, seen.lost) == (["v1", "v2"], [])
    assert tally.count > 100


async def test_what_runs_is_the_digest_behind_the_tag(app: MakeApp) -> None:
    shop = app("web")
    await shop.deploy("v1")
    image = await docker("inspect", "--format", "{{.Config.Image}}", f"{shop.project}-r1-web-1")
    digests = await docker(
        "image", "inspect", "--format", "{{.RepoDigests}}", f"{shop.server.images}/app:v1"
    )
    assert "@sha256:" in image
    assert image in digests


async def test_nothing_changed_asks_neither_compose_nor_registry(
    app: MakeApp, server: Server, tmp_path: Path
) -> None:
    shop = app("web")
    await shop.deploy("v1")
    calls = spy_on_docker(tmp_path)
    await docker("stop", "--time", "1", server.registry)
    try:
        done = await shop.berth("deploy", shop.stack, "--tag", "v1", env={"PATH": path_of(calls)})
    finally:
        await docker("start", server.registry)
    assert (done.code, "nothing changed" in done.out) == (0, True), done.said
    assert not calls.exists()
    assert await shop.containers() == [f"{shop.project}-r1-web-1"]


def spy_on_docker(folder: Path) -> Path:
    """A `docker` that writes down each call; returns the file that it writes."""
    calls = folder / "calls"
    spy = folder / "docker"
    spy.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nexec /usr/bin/docker "$@"\n')
    spy.chmod(0o755)
    return calls


def path_of(calls: Path) -> str:
    return f"{calls.parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


async def test_the_spy_would_have_seen_a_call(app: MakeApp, tmp_path: Path) -> None:
    shop = app("web")
    calls = spy_on_docker(tmp_path)
    done = await shop.berth("plan", shop.stack, "--tag", "v1", env={"PATH": path_of(calls)})
    assert done.code == 0, done.said
    assert "compose" in calls.read_text()
