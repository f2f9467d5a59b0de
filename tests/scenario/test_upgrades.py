"""Another Compose on the server changes nothing that runs: a release is a project of its own."""

import shutil
from pathlib import Path

import pytest
from tests.scenario.commands import docker
from tests.scenario.dsl import MakeApp

pytestmark = pytest.mark.docker

WRAPPER = """#!/bin/sh
# Stands for another version of Compose: it says so in its version and, as its label, on containers.
case "$*" in
  *"version --short"*) echo 2.99.0 ;;
  *) exec {real} "$@" ;;
esac
"""


def another_compose(folder: Path) -> dict[str, str]:
    """A Docker configuration whose Compose is that one."""
    places = ("/usr/libexec/docker", "/usr/lib/docker", "/usr/local/lib/docker")
    files = (Path(place) / "cli-plugins" / "docker-compose" for place in places)
    real = next(path for path in files if path.exists())
    plugin = folder / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(WRAPPER.format(real=real))
    plugin.chmod(0o755)
    return {"DOCKER_CONFIG": str(folder)}


async def test_another_compose_makes_no_container_anew(app: MakeApp, tmp_path: Path) -> None:
    shop = app("workers", "stage")
    await shop.deploy("v1")
    names = await shop.containers()
    before = await shop.started(*names)
    newer = another_compose(tmp_path / "docker")
    version = await docker("--config", newer["DOCKER_CONFIG"], "compose", "version", "--short")
    assert version.strip() == "2.99.0"
    again = await shop.berth("deploy", shop.stack, "--tag", "v1", env=newer)
    assert (again.code, await shop.started(*names)) == (0, before), again.said
    async with shop.watched() as seen:
        done = await shop.berth("deploy", shop.stack, "--tag", "v2", env=newer)
    assert (done.code, seen.lost, seen.versions) == (0, [], ["v1", "v2"]), done.said
    kept = [name for name in names if "-redis-" in name or "-web-" in name]  # state, and warm
    assert await shop.started(*kept) == [before[names.index(name)] for name in kept]
    shutil.rmtree(tmp_path / "docker")
