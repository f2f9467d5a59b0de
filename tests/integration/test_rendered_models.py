"""Compose starts what was rendered, and a plain name answers only from its own release (D1)."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from berthmaster.domain.names import StackId
from berthmaster.domain.release import ReleaseNetwork, network_in
from berthmaster.domain.spec import AppSpec, EnvironmentSpec, Role
from berthmaster.planner.render import Rendered, RenderInputs, render_release, with_environment
from berthmaster.planner.roles import RoleDecision

pytestmark = pytest.mark.docker

IMAGE = "berthmaster/redis:7"  # any image with `getent`
SLEEP = {"image": IMAGE, "entrypoint": ["sleep", "300"], "stop_grace_period": "0s"}
SERVICES: dict[str, Any] = {
    "web": {
        **SLEEP,
        "deploy": {"replicas": 2},
        "environment": {"PRICE": "p$$w0rd$X", "DB_PASSWORD": "planted"},
        "volumes": ["files:/files"],
    },
    "db": SLEEP,
}
ROLES = {"db": Role.STATE, "web": Role.ROUTED}


class World:
    """One stack with a name and subnets of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = StackId(f"t{secrets.token_hex(4)}", "prod")
        block = f"10.{secrets.randbelow(20) + 230}.{secrets.randbelow(256)}"
        self.networks = {
            number: network_in(f"{self.stack.project}-n{number}", f"{block}.{number * 16}/28")
            for number in (0, 7, 8)
        }
        self.containers: list[str] = []

    def render(self, number: int) -> Rendered:
        environment = EnvironmentSpec("prod", ("compose.yaml",))
        return render_release(
            RenderInputs(
                stack=self.stack,
                number=number,
                spec=AppSpec(self.stack.app, str(self.folder), {"prod": environment}),
                model={"name": self.stack.project, "services": SERVICES},
                decisions=tuple(RoleDecision(name, role, "test") for name, role in ROLES.items()),
                network=self.networks[number],
                stack_network=self.networks[0],
                folder=str(self.folder / f"r{number}"),
                engine_major=20,
            )
        )

    def up(self, model: Any, environment: Any) -> None:
        complete = dict(with_environment(model, environment))
        self.containers += [item["container_name"] for item in complete["services"].values()]
        path = self.folder / f"{complete['name']}.json"
        path.write_text(json.dumps(complete).replace("$", "$$"))
        docker("compose", "-p", complete["name"], "-f", str(path), "up", "-d", "--pull", "never")

    def addresses(self, container: str, name: str) -> set[str]:
        done = subprocess.run(
            ["docker", "exec", container, "getent", "ahostsv4", name],
            capture_output=True,
            text=True,
            check=False,
        )
        return {line.split()[0] for line in done.stdout.splitlines()}


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def create(network: ReleaseNetwork) -> None:
    docker(
        "network",
        "create",
        "--label",
        "berthmaster.test=rendered",
        *("--subnet", network.subnet, "--gateway", network.gateway),
        *("--ip-range", network.dynamic_range),
        network.name,
    )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    volume = f"{made.stack.project}_files"
    try:
        for network in made.networks.values():
            create(network)
        docker("volume", "create", "--label", "berthmaster.test=rendered", volume)
        yield made
    finally:
        names = [network.name for network in made.networks.values()]
        ends = [["rm", "-f", one] for one in made.containers]  # at once they can hang the engine
        for command in (*ends, ["network", "rm", *names]):
            subprocess.run(["docker", *command], capture_output=True, check=False)
        subprocess.run(["docker", "volume", "rm", volume], capture_output=True, check=False)


def test_a_name_answers_only_from_its_own_release_and_values_arrive_unchanged(world: World) -> None:
    for number in (7, 8):
        rendered = world.render(number)
        if number == 7:
            world.up(rendered.state_model, rendered.environment)
        world.up(rendered.model, rendered.environment)

    project = world.stack.project
    for number in (7, 8):
        subnet = world.networks[number].subnet.rpartition(".")[0]
        first = number * 16
        own = {f"{subnet}.{first + 2}", f"{subnet}.{first + 3}"}
        assert world.addresses(f"{project}-r{number}-web-1", "web") == own
        assert len(world.addresses(f"{project}-r{number}-web-2", "db")) == 1
    assert world.addresses(f"{project}-db-1", "web") == set()
    values = docker("exec", f"{project}-r7-web-1", "env")
    assert "PRICE=p$$w0rd$X" in values
    assert "DB_PASSWORD=planted" in values
