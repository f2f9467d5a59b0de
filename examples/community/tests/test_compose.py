"""The Compose files of every environment: what they say, and that they run without Berthmaster, side by side."""

import json
import os
import re
import secrets
import shutil
import socket
import stat
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parent.parent
COMMIT = "0123456789abcdef0123456789abcdef01234567"
DEPLOYED = ("stage", "prod")
READ_BY_APP = ("jwt_secret", "db_password", "db_server_cert")
APP_UID = 10001
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}


def run(*command: str, cwd: Path = EXAMPLE, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env={**ENVIRONMENT, **variables}, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def compose(environment: str, *files: str) -> list[str]:
    named = ["compose.yml", f"compose.{environment}.yml", *files]
    options = ["--env-file", "versions.env", "--env-file", f".env.{environment}"]
    return ["docker", "compose", *options, *(part for file in named for part in ("-f", file))]


def model(environment: str, *files: str, tag: str = COMMIT) -> dict[str, Any]:
    done = run(*compose(environment, *files), "config", "--format", "json", IMAGE_TAG=tag)
    assert done.returncode == 0, done.stderr
    assert "variable is not set" not in done.stderr
    return json.loads(done.stdout)


@pytest.mark.requirement("R324", "R325", "R368")
@pytest.mark.parametrize("files", [(), ("compose.gateway.yml",)])
@pytest.mark.parametrize("environment", ["dev", "stage", "prod"])
def test_every_environment_renders_under_names_of_its_own(environment: str, files: tuple[str, ...]) -> None:
    if environment == "dev" and files:
        return
    found = model(environment, *files)
    assert found["name"] == f"community-{environment}"
    for section in ("networks", "volumes"):
        assert all(item["name"].startswith(f"community-{environment}_") for item in found[section].values())
        assert not any(item.get("external") for item in found[section].values())
    assert not any("container_name" in service for service in found["services"].values())
    assert {Path(item["file"]).parent.name for name, item in found["secrets"].items() if name != "ca"} == {environment}


@pytest.mark.requirement("R330", "R331", "R327")
@pytest.mark.parametrize("environment", DEPLOYED)
def test_stage_and_prod_pull_the_commit_and_build_nothing(environment: str) -> None:
    services = model(environment)["services"]
    assert not any("build" in service or "ports" in service for service in services.values())
    for name, image in (("app", "api"), ("frontend", "frontend")):
        assert services[name]["image"] == f"127.0.0.1:5000/community-{image}:{COMMIT}"
        assert services[name]["pull_policy"] == "always"
    assert services["app"].get("command") is None
    assert not any(volume["type"] == "bind" for volume in services["app"].get("volumes", []))


@pytest.mark.requirement("R350", "R364")
@pytest.mark.parametrize("environment", DEPLOYED)
def test_without_a_tag_nothing_is_deployed(environment: str) -> None:
    done = run(*compose(environment), "config", "--quiet")
    assert done.returncode != 0
    assert "IMAGE_TAG" in done.stderr
    done = run("make", f"deploy-{environment}")
    assert done.returncode != 0
    assert "IMAGE_TAG" in done.stderr


@pytest.mark.requirement("R332")
def test_stage_differs_from_prod_in_size_and_names_only() -> None:
    texts = []
    for environment in DEPLOYED:
        services = model(environment)["services"]
        for service in services.values():
            service.pop("deploy", None)
        services["app"]["environment"].pop("ALLOWED_ORIGINS")
        texts.append(json.dumps(services, sort_keys=True).replace(environment, "ENV"))
    assert texts[0] == texts[1]


@pytest.mark.requirement("R326")
def test_dev_listens_on_loopback_at_its_own_ports() -> None:
    services = model("dev")["services"]
    found = {(p["host_ip"], p["published"]) for s in services.values() for p in s.get("ports", [])}
    assert found == {("127.0.0.1", "5173"), ("127.0.0.1", "8375")}
    gateways = [model(name, "compose.gateway.yml")["services"]["gateway"]["ports"] for name in DEPLOYED]
    assert [ports[0]["published"] for ports in gateways] == ["8081", "80"]


@pytest.mark.requirement("R314", "R329")
def test_no_tracked_file_holds_a_value_of_a_secret() -> None:
    for path in [*EXAMPLE.glob("compose*.yml"), *EXAMPLE.glob(".env.*"), EXAMPLE / "versions.env"]:
        text = path.read_text()
        assert not re.search(r"(?m)^\s*[A-Z_]*(PASSWORD|SECRET|TOKEN|KEY)\s*[:=]\s*\S", text), path


@pytest.mark.requirement("R318", "R348", "R374")
def test_image_versions_stand_in_one_file(tmp_path: Path) -> None:
    assert run("make", "versions-check").returncode == 0
    copy = copied(tmp_path)
    overlay = copy / "compose.gateway.yml"
    overlay.write_text(overlay.read_text().replace("${NGINX_IMAGE:?add --env-file versions.env}", "nginx:1.27-alpine"))
    done = run("scripts/check-versions", cwd=copy)
    assert done.returncode == 1
    assert "nginx:1.27-alpine" in done.stderr


@pytest.mark.requirement("R333", "R338", "R365")
def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    for _ in range(2):
        assert run("scripts/make-secrets", "stage", cwd=copy).returncode == 0
    folder = copy / "secrets" / "stage"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {*READ_BY_APP, "db_server_key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    run("scripts/make-secrets", "stage", cwd=copy)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.requirement("R341", "R342", "R343", "R344", "R345", "R346", "R347", "R366", "R367")
def test_every_make_target_names_its_environment() -> None:
    berth = {
        "up-dev": "berth dev up",
        "down-dev": "berth dev down",
        "up-stage": "berth deploy stage",
        "up-prod": "berth deploy prod",
        "down-stage": "berth destroy stage --keep-volumes",
        "down-prod": "berth destroy prod --keep-volumes",
        "deploy-stage": f"berth deploy stage --tag {COMMIT}",
        "deploy-prod": f"berth deploy prod --tag {COMMIT}",
        "preflight-stage": f"berth check stage --tag {COMMIT}",
        "preflight-prod": f"berth check prod --tag {COMMIT}",
        "promote": "berth promote stage prod",
        "rollback-prod": "berth rollback prod",
    }
    for target, command in berth.items():
        assert command in run("make", "-n", target, f"IMAGE_TAG={COMMIT}").stdout, target
    for verb in ("up", "down", "deploy", "preflight", "logs"):
        for name in DEPLOYED:
            tag = f"IMAGE_TAG={COMMIT}"
            old, new = run("make", "-n", verb, f"ENVIRONMENT={name}", tag), run("make", "-n", f"{verb}-{name}", tag)
            assert old.stdout == new.stdout != ""
    assert run("make", "config-check-all").returncode == 0


class Stack:
    """One environment in a copy of the example, under a project, ports and secrets of its own."""

    def __init__(self, folder: Path, environment: str, *files: str) -> None:
        self.folder, self.environment, self.files = folder, environment, files
        self.project = f"community-test-{secrets.token_hex(3)}-{environment}"
        self.port = free_port()
        self.variables = {
            "IMAGE_TAG": "test",
            "REGISTRY": "community-test",
            "FRONTEND_PORT": str(self.port),
            "GATEWAY_PORT": str(self.port),
            "API_PORT": str(free_port()),
            "BUILD_CA": os.environ.get("PIP_CERT", "/dev/null"),
        }

    def compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = compose(self.environment, *self.files)
        return run(*command, "-p", self.project, *arguments, cwd=self.folder, **self.variables)

    def do(self, *arguments: str) -> str:
        done = self.compose(*arguments)
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def get(self, path: str) -> tuple[int, str]:
        """Ask until something else than 502 comes."""
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as exc:
                if exc.code not in (502, 503, 504) or time.monotonic() > deadline:
                    return exc.code, exc.read().decode()
            except OSError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def copied(folder: Path) -> Path:
    """The tracked part of the example elsewhere, so that no test sees or touches secrets of a person."""
    there = folder / "community"
    shutil.copytree(EXAMPLE, there, ignore=shutil.ignore_patterns("secrets", ".venv", "tests", "__pycache__"))
    return there


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Stack]]:
    folder = copied(tmp_path_factory.mktemp("stacks"))
    # NOTE: these images are in no registry, and a port on every address is not for a test.
    (folder / "compose.test.yml").write_text(
        "services:\n"
        "  app: {pull_policy: never, labels: {berthmaster.test: community}}\n"
        "  frontend: {pull_policy: never, labels: {berthmaster.test: community}}\n"
    )
    started: list[Stack] = []

    def begin(environment: str, *files: str) -> Stack:
        assert run("scripts/make-secrets", environment, cwd=folder).returncode == 0
        if environment != "dev" and os.getuid() == 0:
            for name in READ_BY_APP:  # as the README says for plain Compose
                os.chown(folder / "secrets" / environment / name, APP_UID, -1)
        stack = Stack(folder, environment, *files)
        started.append(stack)
        return stack

    yield begin
    for stack in started:
        stack.compose("down", "--volumes", "--timeout", "5")


@pytest.mark.docker
@pytest.mark.timeout(600)
@pytest.mark.requirement("R353", "R357", "R369", "R376", "R380")
def test_dev_and_stage_run_side_by_side_with_plain_compose(start: Callable[..., Stack]) -> None:
    dev, stage = start("dev"), start("stage", "compose.gateway.yml", "compose.test.yml")
    dev.do("build", "--quiet")
    dev.do("up", "--detach")
    stage.do("up", "--detach", "postgres", "redis")
    stage.do("run", "--rm", "-T", "app", "python", "-m", "community", "migrate")
    stage.do("up", "--detach", "--no-recreate")
    for stack in (dev, stage):
        assert json.loads(stack.get("/health/ready")[1])["status"] == "healthy"
        assert stack.get("/api/version") == (
            200,
            json.dumps({"version": "test", "environment": stack.environment}, separators=(",", ":")),
        )
        assert "<title>Commons</title>" in stack.get("/")[1]
        assert stack.get("/metrics")[0] == 404

    ssl = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL AND NOT ssl"
    assert stage.do("exec", "-T", "postgres", "psql", "-U", "community", "-Atc", ssl).strip() == "0"
    plain = stage.compose("run", "--rm", "-T", "-e", "DB_SSLMODE=disable", "app", "python", "-m", "community", "serve")
    assert plain.returncode == 2
    assert "DB_SSLMODE must be one of" in plain.stderr
    # What the application would refuse, the server refuses too.
    address = "host=postgres user=community sslmode=disable"
    client = stage.compose(
        "run", "--rm", "-T", "--no-deps", "--entrypoint", "psql", "postgres", address, "-c", "SELECT 1"
    )
    assert client.returncode != 0
    assert "no encryption" in client.stderr

    stage.do("up", "--detach", "--force-recreate", "--no-deps", "app")
    assert json.loads(stage.get("/health/ready")[1])["status"] == "healthy"  # the gateway finds its new address
    logs = stage.do("logs")
    for name in ("jwt_secret", "db_password"):
        assert (stage.folder / "secrets" / "stage" / name).read_text().strip() not in logs
