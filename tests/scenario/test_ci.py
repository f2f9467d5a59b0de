"""What the files in `examples/ci` make a runner do, taken out of them and done.

The runner is a folder with a fresh checkout and a home of its own; the server is another network
with a real sshd, which lets the job's key in for one forced command.
"""

import asyncio
import contextlib
import http.client
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.scenario.commands import Ended, docker, end, start
from tests.scenario.engine import IMAGES
from tests.scenario.server import HERE, until
from tests.scenario.sshd import VENV, Far, make_key
from tests.scenario.test_servers import fingerprint

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

CI = Path(__file__).parents[2] / "examples/ci"
PAGE = CI.parents[1] / "docs/how-to/ci.md"
LIMIT_SECONDS = 240.0  # of a job
STARTING_KEY_AGENT = 'eval "$(ssh-agent -s)"'


@dataclass
class Project:
    """The repository that CI watches, and the server that it deploys to."""

    root: Path
    server: Far
    name: str = field(default_factory=lambda: f"ci-{uuid.uuid4().hex[:6]}")

    @property
    def repository(self) -> Path:
        return self.root / "repository"

    @property
    def key(self) -> Path:
        return self.root / "deploy-key"

    @property
    def stack(self) -> str:
        return f"{self.name}@stage"

    async def prepare(self) -> None:
        """A repository with the app and the job's files; a server that lets the key in."""
        shutil.copytree(HERE / "testdata/web", self.repository)
        for path in self.repository.iterdir():
            path.write_text(path.read_text().replace("APP", self.name))
        shutil.copytree(HERE / "app", self.repository / "app")
        compose = self.repository / "compose.yaml"
        built = "    build: {context: app, args: {VERSION: '${IMAGE_TAG}'}}\n    environment:\n"
        compose.write_text(compose.read_text().replace("    environment:\n", built))
        for place in (".github/deploy", "ci/deploy"):  # where the two files say that it was copied
            (self.repository / place).parent.mkdir()
            shutil.copy(CI / "deploy", self.repository / place)
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit()
        make_key(self.key)
        public = self.key.with_suffix(".pub").read_text().strip()
        words = ("server", "authorize", public, *limits(), "--print")
        printed = await self.server.berth(*words)
        with self.server.authorized_keys.open("a") as file:
            file.write(printed.out)
        up = await self.server.berth("gateway", "up")
        assert (up.code, printed.code) == (0, 0), up.said

    def commit(self, **variables: str) -> str:
        """Change the app's variables; the commit, as its images are tagged."""
        lines = [f"REGISTRY=bl{self.name}", *(f"{key}={value}" for key, value in variables.items())]
        for name in ("stage", "prod"):  # alike, as the check wants them
            (self.repository / f".env.{name}").write_text("\n".join(lines) + "\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "--short=12", "HEAD")

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=ann", "-c", "user.email=ann@example.com")
        done = subprocess.run(
            ["git", "-C", str(self.repository), *who, *words],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def ask(self) -> str:
        """The version that answers on the server."""
        with self.server.engine.inside():
            asked = http.client.HTTPConnection("127.0.0.1", 8080, timeout=10)
            asked.request("GET", "/", headers={"Host": f"stage.{self.name}.test"})
            return asked.getresponse().headers.get("x-version", "")


@dataclass
class Runner:
    """A machine of CI for one job: what it has checked out, and a home without anything."""

    project: Project
    name: str

    def __post_init__(self) -> None:
        for folder in ("home", "sockets"):
            (self.root / folder).mkdir(parents=True, mode=0o700)
        (self.root / "settings.toml").write_text(f'state_folder = "{self.root}/state"\n')
        # NOTE: ssh takes a home from the password file, which is the same one for every job here.
        (self.root / "config").write_text(
            f"Host *\n  IdentityFile {self.root}/home/.ssh/id_ed25519\n"
            f"  UserKnownHostsFile {self.root}/user_known_hosts\n"
        )
        (self.root / "servers.toml").write_text(f'ssh_config = "{self.root}/config"\n')
        words = ["git", "clone", "--quiet", str(self.project.repository), str(self.checkout)]
        subprocess.run(words, check=True)

    @property
    def root(self) -> Path:
        return self.project.root / self.name

    @property
    def checkout(self) -> Path:
        return self.root / "checkout"

    @property
    def variables(self) -> dict[str, str]:
        server = self.project.server
        return {
            "HOME": str(self.root / "home"),
            "PATH": f"{VENV}:{os.environ['PATH']}",
            "XDG_RUNTIME_DIR": str(self.root / "sockets"),
            "BERTHMASTER_SERVERS": str(self.root / "servers.toml"),
            "BERTHMASTER_SETTINGS": str(self.root / "settings.toml"),
            "ADDRESS": f"root@{server.address}",
            "HOST_KEY": fingerprint(server),
        }

    async def start(self, script: str, **more: str) -> asyncio.subprocess.Process:
        words = ("bash", "-e", "-o", "pipefail", "-c", f'cd "$0"\n{script}', str(self.checkout))
        return await start(*words, env={**self.variables, **more})

    async def github(self, **more: str) -> Ended:
        """Every step of the workflow that is a script, as GitHub runs them: one shell each."""
        job = read("github-actions.yml")["jobs"]["stage"]
        for step in job["steps"]:
            if "run" in step and not is_install(step["run"]):
                started = await self.start(step["run"], **self._given(job, step), **more)
                done = await end(started, seconds=LIMIT_SECONDS)
                if done.code:
                    break
        return done

    def _given(self, job: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, str]:
        """The variables that the workflow names, with what the project's settings would hold."""
        held = {**self.variables, "DEPLOY_KEY": self.project.key.read_text()}
        named = {**job["env"], **step.get("env", {})}
        return {name: held.get(name, str(value)) for name, value in named.items()}

    async def gitlab(self) -> Ended:
        """Before and script in one shell, as GitLab runs them; the key in an agent."""
        job = read("gitlab-ci.yml")
        lines = [*job["stage"]["before_script"], *job["stage"]["script"]]
        lines = [line for line in lines if not is_install(line) and "/opt/berth" not in line]
        assert any(STARTING_KEY_AGENT in line for line in lines)
        script = "\n".join(["trap 'kill $SSH_AGENT_PID' EXIT", *lines])
        return await end(
            await self.start(script, DEPLOY_KEY=str(self.project.key), **job["stage"]["variables"])
        )

    async def berth(self, *words: str) -> Ended:
        return await end(await start(str(VENV / "berth"), *words, env=self.variables))


def read(name: str) -> Any:
    return YAML(typ="safe").load(CI / name)


def limits() -> list[str]:
    """What the page lets the key do."""
    found = re.search(r"server authorize .* (--name ci --only .*)", PAGE.read_text())
    assert found
    return found[1].split()


def is_install(script: str) -> bool:
    """Berthmaster is installed here already."""
    return script.startswith(("python3 -m", "apk add"))


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    server = Far("web1", 17)
    made = Project(Path(tempfile.mkdtemp(prefix="bl-")), server)
    try:
        server.start(IMAGES[:3])
        asyncio.run(made.prepare())
        yield made
    finally:
        server.destroy()
        asyncio.run(forget_images(made))
        shutil.rmtree(made.root, ignore_errors=True)


async def forget_images(made: Project) -> None:
    names = await docker(
        "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"bl{made.name}/app"
    )
    await docker("image", "rm", *names.split(), code=None)


@contextlib.asynccontextmanager
async def hanging_up(*runners: Runner) -> Any:
    """The connections that jobs share end with them."""
    try:
        yield
    finally:
        for runner in runners:
            for socket in (runner.root / "sockets").rglob("*"):
                if socket.is_socket():
                    await end(await start("ssh", "-O", "exit", "-o", f"ControlPath={socket}", "x"))


async def test_both_files_build_check_deploy_and_report(project: Project) -> None:
    first = project.commit()
    github = Runner(project, "github")
    summary = github.root / "summary"
    async with hanging_up(github):
        done = await github.github(GITHUB_STEP_SUMMARY=str(summary))
    assert done.code == 0, done.said
    assert project.ask() == first
    assert f"### stage: {first} (exit 0)" in summary.read_text()
    assert '"release": 1' in summary.read_text()
    second = project.commit()
    gitlab = Runner(project, "gitlab")
    async with hanging_up(gitlab):
        done = await gitlab.gitlab()
    assert done.code == 0, done.said
    assert project.ask() == second
    assert (gitlab.checkout / "deployed.json").read_text() in done.out
    shown = await project.server.berth("show", project.stack)
    assert "ci" in shown.out, shown.said


async def test_the_key_of_a_job_can_do_no_more(project: Project) -> None:
    runner = Runner(project, "curious")
    async with hanging_up(runner):
        added = await end(
            await runner.start(steps_before_deploy(), DEPLOY_KEY=project.key.read_text())
        )
        assert added.code == 0, added.said
        where = ("server", "add", "web1", runner.variables["ADDRESS"], "--no-install")
        assert (await runner.berth(*where, "--host-key", runner.variables["HOST_KEY"])).code == 0
        here = ("-C", str(runner.checkout), "-S", "web1")
        ended = await runner.berth(*here, "destroy", project.stack, "--confirm", project.stack)
        elsewhere = await runner.berth(*here, "deploy", "prod", "--tag", "v1")
    assert (ended.code, elsewhere.code) == (2, 2)
    assert "the key ci may not run `berth destroy`" in ended.err
    assert "the key ci is for stage only, not for prod" in elsewhere.err


def steps_before_deploy() -> str:
    (found,) = [
        step["run"]
        for step in read("github-actions.yml")["jobs"]["stage"]["steps"]
        if "id_ed25519" in step.get("run", "")
    ]
    return str(found)


async def test_a_second_job_ends_with_4_while_the_first_deploys(project: Project) -> None:
    path = project.repository / "berth.yaml"
    path.write_text(path.read_text().replace("ready: 5s", "ready: 200s"))
    held = project.commit(BROKEN="held")
    one, other = Runner(project, "one"), Runner(project, "other")
    async with hanging_up(one, other):
        deploying = asyncio.create_task(one.github())
        await until(lambda: held_container(project), seconds=100)
        refused = await other.github()
        assert refused.code == 4, refused.said
        assert "is being changed by" in refused.said
        project.server.engine.docker("exec", held_container(project), "touch", "/tmp/go")
        done = await deploying
    assert done.code == 0, done.said
    assert project.ask() == held


def held_container(project: Project) -> str:
    wanted = ["--filter", f"label=berthmaster.stack={project.stack}", "--format", "{{.Names}}"]
    names = project.server.engine.docker("ps", *wanted).split()
    return next((name for name in names if has_env(project, name, "BROKEN=held")), "")


def has_env(project: Project, name: str, pair: str) -> bool:
    return pair in project.server.engine.docker("inspect", "--format", "{{.Config.Env}}", name)
