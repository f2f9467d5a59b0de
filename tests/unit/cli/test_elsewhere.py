"""`berth -S` from end to end on this machine: only ssh is left out, by a program of its name.

The far side is a real `berth serve-request` in its own process, with a state folder of its own.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from berthmaster.cli.main import main
from berthmaster.cli.several import worst

BERTH = Path(sys.executable).with_name("berth")
APP = """\
app: shop
environments:
  prod: {hosts: [shop.test]}
  stage: {hosts: [stage.shop.test]}
"""
COMPOSE = "services:\n  web:\n    image: shop:${IMAGE_TAG}\n    env_file: web.env\n"


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


@dataclass
class Desk:
    """A laptop with an app folder; every server of any name is the same one beside it."""

    root: Path
    environment: pytest.MonkeyPatch
    printed: pytest.CaptureFixture[str]

    def __post_init__(self) -> None:
        for folder in ("bin", "app/secrets/prod", "app/secrets/stage"):
            (self.root / folder).mkdir(parents=True)
        settings = self.root / "far.toml"
        settings.write_text(
            f'state_folder = "{self.state}"\ndocker_host = "unix:///nowhere.sock"\n'
        )
        self.write_ssh(f"{self.far} exec {BERTH} serve-request")
        self.write("berth.yaml", APP)
        self.write("compose.yaml", COMPOSE)
        self.write("web.env", "A=1\n")
        self.write("secrets/prod/key", "of prod")
        self.write("secrets/stage/key", "of stage")
        self.servers("web1", "web2")
        self.environment.setenv("PATH", f"{self.root}/bin:/usr/bin:/bin")
        self.environment.setenv("BERTHMASTER_SERVERS", str(self.root / "servers.toml"))
        self.environment.setenv("XDG_RUNTIME_DIR", str(self.root))
        self.environment.setenv("BERTHMASTER_STATE_FOLDER", str(self.root / "here"))

    @property
    def far(self) -> str:
        """The variables of the far side."""
        return f"unset BERTHMASTER_STATE_FOLDER; BERTHMASTER_SETTINGS={self.root}/far.toml"

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

    def berth(self, *words: str) -> Done:
        self.printed.readouterr()
        code = main(["-C", str(self.root / "app"), *words])
        return Done(code, *self.printed.readouterr())

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
def desk(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """In a folder with a short name: the path of the router's socket ends at 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="bd-") as name:
        yield Desk(Path(name), monkeypatch, capfd)


def test_output_and_exit_code_come_back(desk: Desk) -> None:
    done = desk.berth("-S", "web1", "status", "--json")
    assert (done.code, json.loads(done.out)["stacks"], done.err) == (0, [], "")
    refused = desk.berth("-S", "web1", "show", "d7")
    assert (refused.code, "d7" in refused.err, refused.out) == (2, True, "")


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


@pytest.mark.requirement("R151")
def test_a_command_goes_where_its_environment_lives(desk: Desk) -> None:
    desk.write("berth.yaml", f"{APP}servers: {{prod: web1, stage: web2}}\n")
    for words in (["releases", "stage"], ["status", "shop@prod"], ["logs", "stage", "web"]):
        desk.berth(*words)
    hosts = [line.split()[-3] for line in desk.asked]
    assert hosts == ["web2.test", "web1.test", "web2.test"]


def test_local_stays_here_and_an_unknown_server_is_refused(desk: Desk) -> None:
    desk.write("berth.yaml", f"{APP}servers: {{prod: web9}}\n")
    refused = desk.berth("releases", "prod")
    assert (refused.code, "berth server add web9" in refused.err) == (2, True)
    desk.berth("-S", "local", "releases", "prod")
    desk.berth("server", "list")
    assert desk.asked == []


def test_environments_on_two_servers_share_no_promotion(desk: Desk) -> None:
    desk.write("berth.yaml", f"{APP}servers: {{prod: web1, stage: web2}}\n")
    refused = desk.berth("promote", "stage", "prod")
    assert (refused.code, "different servers" in refused.err) == (2, True)


@pytest.mark.parametrize("words", [["init"], ["build"], ["secrets", "init"], ["dev", "up"]])
def test_what_belongs_to_the_folder_is_not_for_another_server(desk: Desk, words: list[str]) -> None:
    refused = desk.berth("-S", "web1", *words)
    assert (refused.code, "not for another server" in refused.err) == (2, True)
    assert desk.asked == []


def test_a_file_that_cannot_go_along_is_named(desk: Desk) -> None:
    desk.write("compose.yaml", COMPOSE + "    volumes: ['./uploads:/uploads']\n")
    refused = desk.berth("-S", "web1", "plan", "prod", "--tag", "v1")
    assert "web writes to ./uploads beside the Compose files" in refused.err
    (desk.root / "app/secrets/prod/other").symlink_to("/etc/hostname")
    desk.write("compose.yaml", COMPOSE)
    refused = desk.berth("-S", "web1", "plan", "prod", "--tag", "v1")
    assert "leads out of the app's folder" in refused.err
    assert refused.code == 2


def test_several_servers_give_one_object_and_the_worst_exit_code(desk: Desk) -> None:
    done = desk.berth("-S", "all", "show", "d7", "--json")
    found = json.loads(done.out)["servers"]
    assert done.code == 2
    assert found.keys() == {"web1", "web2"}
    assert found["web1"]["error"]["kind"] == "NotFound"
    done = desk.berth("-S", "web1,web2", "status", "--json")
    assert [one["exit_code"] for one in json.loads(done.out)["servers"].values()] == [0, 0]


@pytest.mark.parametrize(
    ("codes", "code"), [([0, 0], 0), ([0, 2, 0], 2), ([3, 1], 1), ([4, 3], 3), ([130, 2], 2)]
)
def test_the_worst_of_several_endings_counts(codes: list[int], code: int) -> None:
    assert worst(codes) == code


@pytest.mark.requirement("R115")
@pytest.mark.requirement("R202")
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
        ("exit 1", 2, "nothing else"),
    ],
)
def test_what_ssh_says_becomes_a_remedy(desk: Desk, line: str, code: int, said: str) -> None:
    desk.write_ssh(line)
    failed = desk.berth("-S", "web1", "status")
    assert (failed.code, said in failed.err) == (code, True), failed.err


def test_a_server_of_another_version_is_refused_with_the_remedy(desk: Desk) -> None:
    code = (
        "import berthmaster, sys; berthmaster.__version__ = '0.0.9';"
        "from berthmaster.cli.main import main; sys.exit(main(['serve-request']))"
    )
    desk.write_ssh(f'{desk.far} exec {sys.executable} -c "{code}"')
    failed = desk.berth("-S", "web1", "status")
    assert failed.code == 2
    assert "web1: the server has an older Berthmaster: 0.0.9 there" in failed.err
    assert "next: berth server upgrade web1" in failed.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["releases", "stage"], "may not run `berth releases`"),
        (["server", "prepare"], "may not run `berth server prepare`"),
        (["status"], "name one environment"),
        (["deploy", "--all"], "name one environment"),
        (["status", "prod"], "is for stage only, not for prod"),
        (["status", "shop@prod"], "is for stage only, not for prod"),
        (["deploy", "stage", "--tag", "v1"], "loosens the policy of stage"),
        (["attach"], "must name a deployment"),
    ],
)
def test_a_key_of_ci_is_held_to_its_limits(desk: Desk, words: list[str], said: str) -> None:
    desk.write("berth.yaml", APP.replace("[stage.shop.test]", "[x.test], policy: {strict: false}"))
    limits = "--key ci --only status,deploy,attach --env stage"
    desk.write_ssh(f"{desk.far} exec {BERTH} serve-request {limits}")
    refused = desk.berth("-S", "web1", *words)
    assert (refused.code, said in refused.err) == (2, True), refused.err
