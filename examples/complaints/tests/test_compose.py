"""The document's own form: a `.env` and `docker compose up -d` for each client, two clients beside each other."""

import json
import os
import secrets
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

EXAMPLE = Path(__file__).parents[1]
LEFT_OUT = ("clients", "secrets", ".venv", "tests", "__pycache__", ".*_cache", ".coverage")


class Clients:
    """The tracked part of the example elsewhere, and clients whose names nobody else has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "complaints"
        self.names = [f"t{secrets.token_hex(3)}-{letter}" for letter in "ab"]
        shutil.copytree(EXAMPLE, self.folder, ignore=shutil.ignore_patterns(*LEFT_OUT))

    def run(self, *words: str, answer: str = "") -> subprocess.CompletedProcess[str]:
        variables = {
            "IMAGE_TAG": "test",
            "REGISTRY": "complaints-test",
            "FIRST_PORT": str(free_port()),
            "LAST_PORT": "65535",
            "BUILD_CA": os.environ.get("PIP_CERT", "/dev/null"),
        }
        return subprocess.run(
            words, cwd=self.folder, env={**os.environ, **variables}, input=answer, capture_output=True, text=True
        )

    def do(self, *words: str, answer: str = "") -> str:
        done = self.run(*words, answer=answer)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def value(self, client: str, name: str) -> str:
        lines = (self.folder / "clients" / f"{client}.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)[name]

    def get(self, client: str, path: str) -> Any:
        return httpx2.get(f"http://127.0.0.1:{self.value(client, 'PORT')}{path}", timeout=10).json()

    def psql(self, client: str, statement: str) -> str:
        arguments = ("exec", "-T", "db", "psql", "-U", "cms", "-Atc", statement)
        return self.do("docker", "compose", "-p", f"cms-{client}", *arguments).strip()

    def used(self, client: str) -> dict[str, set[str]]:
        """What Docker has of a client, by kind."""
        mine = ("--quiet", "--filter", f"label=com.docker.compose.project=cms-{client}")
        return {
            "container": set(self.do("docker", "container", "ls", "--all", *mine).split()),
            "network": set(self.do("docker", "network", "ls", *mine).split()),
            "volume": set(self.do("docker", "volume", "ls", *mine).split()),
        }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    made = Clients(tmp_path_factory.mktemp("clients"))
    made.do("docker", "compose", "build", "--quiet", "app")
    try:
        for name in made.names:
            said = made.do("scripts/onboard", name, f"Bank {name}")
            assert f"ready: http://localhost:{made.value(name, 'PORT')}" in said
        yield made
    finally:
        for name in made.names:
            made.run("docker", "compose", "-p", f"cms-{name}", "down", "--volumes", "--timeout", "5")


def test_the_variables_of_a_client_are_checked_before_anything_starts(tmp_path: Path) -> None:
    here = Clients(tmp_path)
    for words in (["Bad_Name"], ["--", "x"], ["../x"], [""], ["acme", "a$b"], ["acme", "a\nPORT=1"]):
        done = here.run("scripts/onboard", *words)
        assert done.returncode == 2, words
        assert not (here.folder / "clients").exists() or not list((here.folder / "clients").glob("*.env"))
    assert here.run("scripts/tear-down", "nobody").returncode == 2


@pytest.mark.requirement("R251")
def test_no_tracked_file_holds_a_secret() -> None:
    for name in ("docker-compose.yml", "compose.berth.yml", ".env.prod", "berth.yaml"):
        for line in (EXAMPLE / name).read_text().splitlines():
            key, _, value = line.strip().partition(": ")
            is_secret = key.endswith(("PASSWORD", "SECRET"))
            assert not is_secret or value.startswith(("${", "!reset")), line


@pytest.mark.docker
@pytest.mark.timeout(300)
@pytest.mark.requirement("R242", "R243", "R249", "R252")
def test_two_clients_run_beside_each_other_from_one_file(clients: Clients) -> None:
    for name in clients.names:
        assert clients.get(name, "/version") == {
            "version": "test",
            "client": f"Bank {name}",
            "environment": "production",
        }
        assert clients.get(name, "/health/ready")["status"] == "healthy"
        assert "/complaints/{number}/resolve" in clients.get(name, "/openapi.json")["paths"]
        assert clients.psql(name, "SHOW shared_buffers") == "16MB"


@pytest.mark.docker
@pytest.mark.requirement("R232", "R236", "R250", "R251")
def test_they_share_neither_name_nor_port_nor_secret_nor_network(clients: Clients) -> None:
    one, other = (clients.used(name) for name in clients.names)
    for kind in ("container", "network", "volume"):
        assert one[kind], kind
        assert one[kind].isdisjoint(other[kind])
    for name in ("PORT", "DB_PASSWORD", "JWT_SECRET", "ADMIN_PASSWORD"):
        assert len({clients.value(client, name) for client in clients.names}) == 2
    for client in clients.names:
        assert stat.S_IMODE((clients.folder / "clients" / f"{client}.env").stat().st_mode) == 0o600
    addresses = json.loads(clients.do("docker", "inspect", *other["container"]))
    inside = [
        n["IPAddress"] for item in addresses for n in item["NetworkSettings"]["Networks"].values() if n["IPAddress"]
    ]
    reach = "import socket, sys; sys.exit(socket.socket().connect_ex((sys.argv[1], 5432)) == 0)"
    assert len(inside) == 2
    for address in inside:
        arguments = ("exec", "-T", "app", "timeout", "2", "python", "-c", reach, address)
        done = clients.run("docker", "compose", "-p", f"cms-{clients.names[0]}", *arguments)
        assert done.returncode in (0, 124), "the database of another client can be reached"


@pytest.mark.docker
@pytest.mark.requirement("R252")
def test_onboarding_again_changes_nothing(clients: Clients) -> None:
    name = clients.names[0]
    file = clients.folder / "clients" / f"{name}.env"
    before, containers = file.read_text(), clients.used(name)["container"]
    clients.do("scripts/onboard", name, "Another name")
    assert (file.read_text(), clients.used(name)["container"]) == (before, containers)


@pytest.mark.docker
@pytest.mark.timeout(300)
@pytest.mark.requirement("R253")
def test_tearing_one_down_leaves_the_other_and_asks_before_data_goes(clients: Clients) -> None:
    one, other = clients.names
    untouched = clients.used(other)
    clients.psql(one, "UPDATE users SET name = 'Kept'")
    clients.do("scripts/tear-down", one)
    assert {kind: bool(found) for kind, found in clients.used(one).items()} == {
        "container": False,
        "network": False,
        "volume": True,
    }
    clients.do("scripts/onboard", one)
    assert clients.psql(one, "SELECT name FROM users") == "Kept"
    assert clients.run("scripts/tear-down", one, "--data", answer="yes\n").returncode == 2
    assert clients.get(one, "/health/ready")["status"] == "healthy"
    clients.do("scripts/tear-down", one, "--data", answer=f"{one}\n")
    assert not any(clients.used(one).values())
    assert not (clients.folder / "clients" / f"{one}.env").exists()
    assert clients.used(other) == untouched
    assert clients.get(other, "/health/ready")["status"] == "healthy"
