"""`berth -S` from end to end on this machine: only ssh is left out, by a program of its name.

The far side is a real `berth serve-request` in its own process, with a state folder of its own.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from berthmaster.cli.several import worst

BERTH = Path(sys.executable).with_name("berth")
APP = """\
app: shop
environments:
  prod: {hosts: [shop.test]}
  stage: {hosts: [stage.shop.test]}
"""
COMPOSE = "services:\n  web:\n    image: shop:${IMAGE_TAG}\n    env_file: web.env\n"


@dataclass
class Desk:
    """A laptop with an app folder; every server of any name is the same one beside it."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("bin", "app/secrets/prod", "app/secrets/stage"):
            (self.root / folder).mkdir(parents=True)
        settings = self.root / "far.toml"
        settings.write_text(
            f'state_folder = "{self.state}"\ndocker_host = "unix:///nowhere.sock"\n'
        )
        self.write_ssh(f"BERTHMASTER_SETTINGS={settings} exec {BERTH} serve-request")
        self.write("berth.yaml", APP)
        self.write("compose.yaml", COMPOSE)
        self.write("web.env", "A=1\n")
        self.write("secrets/prod/key", "of prod")
        self.write("secrets/stage/key", "of stage")
        self.servers("web1", "web2")

    @property
    def state(self) -> Path:
        return self.root / "far"

    def write(self, name: str, text: str) -> None:
        (self.root / "app" / name).write_text(text)

    def write_ssh(self, line: str) -> None:
        program = self.root / "bin/ssh"
        program.write_text(f'#!/bin/sh\necho "$@" >> {self.root}/asked\n{line}\n')
        program.chmod(0o755)

    def servers(self, *names: str) -> None:
        rows = [f'[servers.{name}]\naddress = "{name}.test"\n' for name in names]
        (self.root / "servers.toml").write_text("".join(rows))

    def berth(self, *words: str) -> subprocess.CompletedProcess[str]:
        own = {
            "PATH": f"{self.root}/bin:/usr/bin:/bin",
            "BERTHMASTER_SERVERS": str(self.root / "servers.toml"),
            "BERTHMASTER_SETTINGS": "",
            "XDG_RUNTIME_DIR": str(self.root),
            **self.variables,
        }
        return subprocess.run(
            [BERTH, "-C", self.root / "app", *words],
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def sent(self) -> set[str]:
        trees = self.state.glob("sent/trees/*/app")
        return {
            str(path.relative_to(tree))
            for tree in trees
            for path in tree.rglob("*")
            if path.is_file()
        }

    @property
    def asked(self) -> list[str]:
        path = self.root / "asked"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_output_and_exit_code_come_back(desk: Desk) -> None:
    done = desk.berth("-S", "web1", "status", "--json")
    assert (done.returncode, json.loads(done.stdout)["stacks"], done.stderr) == (0, [], "")
    refused = desk.berth("-S", "web1", "show", "d7")
    assert (refused.returncode, "d7" in refused.stderr, refused.stdout) == (2, True, "")


def test_ssh_is_never_given_what_a_person_typed(desk: Desk) -> None:
    desk.berth("-S", "web1", "show", "$(touch /tmp/x); r7")
    (line,) = desk.asked
    assert line.endswith("-- web1.test berth serve-request")
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no"):
        assert f"-o {option} " in line


def test_only_what_a_deploy_of_its_environments_reads_is_sent(desk: Desk) -> None:
    desk.write("berth.yaml", f"{APP}servers: {{prod: web1, stage: web2}}\n")
    desk.write("notes.txt", "private")
    desk.berth("plan", "prod", "--tag", "v1")
    assert desk.sent() == {"berth.yaml", "compose.yaml", "web.env", "secrets/prod/key"}


def test_a_command_goes_where_its_environment_lives(desk: Desk) -> None:
    desk.write("berth.yaml", f"{APP}servers: {{prod: web1, stage: web2}}\n")
    for words in (["releases", "stage"], ["status", "shop@prod"], ["logs", "stage", "web"]):
        desk.berth(*words)
    hosts = [line.split()[-3] for line in desk.asked]
    assert hosts == ["web2.test", "web1.test", "web2.test"]


def test_local_stays_here_and_an_unknown_server_is_refused(desk: Desk) -> None:
    desk.write("berth.yaml", f"{APP}servers: {{prod: web9}}\n")
    refused = desk.berth("releases", "prod")
    assert (refused.returncode, "berth server add web9" in refused.stderr) == (2, True)
    desk.variables["BERTHMASTER_STATE_FOLDER"] = str(desk.root / "here")
    desk.berth("-S", "local", "releases", "prod")
    assert desk.asked == []


def test_environments_on_two_servers_share_no_promotion(desk: Desk) -> None:
    desk.write("berth.yaml", f"{APP}servers: {{prod: web1, stage: web2}}\n")
    refused = desk.berth("promote", "stage", "prod")
    assert (refused.returncode, "different servers" in refused.stderr) == (2, True)


@pytest.mark.parametrize("words", [["init"], ["build"], ["secrets", "init"], ["dev", "up"]])
def test_what_belongs_to_the_folder_is_not_for_another_server(desk: Desk, words: list[str]) -> None:
    refused = desk.berth("-S", "web1", *words)
    assert (refused.returncode, "not for another server" in refused.stderr) == (2, True)
    assert desk.asked == []


def test_a_file_that_cannot_go_along_is_named(desk: Desk) -> None:
    desk.write("compose.yaml", COMPOSE + "    volumes: ['./uploads:/uploads']\n")
    refused = desk.berth("-S", "web1", "plan", "prod", "--tag", "v1")
    assert "web writes to ./uploads beside the Compose files" in refused.stderr
    (desk.root / "app/secrets/prod/other").symlink_to("/etc/hostname")
    desk.write("compose.yaml", COMPOSE)
    refused = desk.berth("-S", "web1", "plan", "prod", "--tag", "v1")
    assert "leads out of the app's folder" in refused.stderr
    assert refused.returncode == 2


def test_several_servers_give_one_object_and_the_worst_exit_code(desk: Desk) -> None:
    done = desk.berth("-S", "all", "show", "d7", "--json")
    found = json.loads(done.stdout)["servers"]
    assert done.returncode == 2
    assert found.keys() == {"web1", "web2"}
    assert found["web1"]["error"]["kind"] == "NotFound"
    done = desk.berth("-S", "web1,web2", "status", "--json")
    assert [one["exit_code"] for one in json.loads(done.stdout)["servers"].values()] == [0, 0]


@pytest.mark.parametrize(
    ("codes", "code"), [([0, 0], 0), ([0, 2, 0], 2), ([3, 1], 1), ([4, 3], 3), ([130, 2], 2)]
)
def test_the_worst_of_several_endings_counts(codes: list[int], code: int) -> None:
    assert worst(codes) == code


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("echo 'Host key verification failed.' >&2; exit 255", 3, "host key of web1"),
        ("echo 'WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!' >&2; exit 255", 3, "not the one"),
        ("echo 'root@web1: Permission denied (publickey).' >&2; exit 255", 3, "none of your keys"),
        ("echo 'ssh: connect to host web1: Connection refused' >&2; exit 255", 3, "be reached"),
        ("echo 'sh: berth: not found' >&2; exit 127", 2, "berth server add web1"),
        ("echo 'berth: there is no command `serve-request`' >&2; exit 2", 2, "server upgrade web1"),
        ("exit 0", 2, "server upgrade web1"),
    ],
)
def test_what_ssh_says_becomes_a_remedy(desk: Desk, line: str, code: int, said: str) -> None:
    desk.write_ssh(line)
    failed = desk.berth("-S", "web1", "status")
    assert (failed.returncode, said in failed.stderr) == (code, True), failed.stderr


def test_a_server_of_another_version_is_refused_with_the_remedy(desk: Desk) -> None:
    code = (
        "import berthmaster, sys; berthmaster.__version__ = '0.0.9';"
        "from berthmaster.cli.main import main; sys.exit(main(['serve-request']))"
    )
    settings = f"BERTHMASTER_SETTINGS={desk.root}/far.toml"
    desk.write_ssh(f'{settings} exec {sys.executable} -c "{code}"')
    failed = desk.berth("-S", "web1", "status")
    assert failed.returncode == 2
    assert "web1: the server has an older Berthmaster: 0.0.9 there" in failed.stderr
    assert "next: berth server upgrade web1" in failed.stderr
