"""`berth -S`: laptops and real servers behind real sshds, each with an engine of its own.

One server for the file, with room for a few releases; a second and a third only where a test needs
them. The images of the app are built on this machine and are in no registry.
"""

import asyncio
import contextlib
import http.client
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.scenario.commands import Ended, docker, end, start
from tests.scenario.engine import IMAGES, Engine
from tests.scenario.server import HERE, until
from tests.scenario.sshd import VENV, Far, Laptop, make_key

import berthmaster

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

VERSIONS = ("v1", "v2")
BASE_MEGABYTES = 60  # what an image of the app has at least below its own layers
RUN = uuid.uuid4().hex[:6]
_numbers = itertools.count(1)


@dataclass
class Shop:
    """An app in a folder of the laptop."""

    laptop: Laptop
    folder: Path
    name: str = field(default_factory=lambda: f"shop{next(_numbers)}-{RUN}")

    @property
    def stack(self) -> str:
        return f"{self.name}@stage"

    def write(self, **variables: str) -> "Shop":
        self.folder.mkdir(exist_ok=True)
        for file in (HERE / "testdata/web").iterdir():
            (self.folder / file.name).write_text(file.read_text().replace("APP", self.name))
        lines = [f"REGISTRY=bl{RUN}", *(f"{key}={value}" for key, value in variables.items())]
        (self.folder / ".env.stage").write_text("\n".join(lines) + "\n")
        (self.folder / ".env.stage").chmod(0o600)
        return self

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        where = ("-C", str(self.folder), "-S", "web1")
        return await start(str(VENV / "berth"), *where, *words, env=self.laptop.variables)

    async def berth(self, *words: str) -> Ended:
        return await end(await self.start(*words))

    async def good(self, *words: str) -> Ended:
        done = await self.berth(*words)
        assert done.code == 0, done.said
        return done

    async def deploy(self, tag: str, *more: str) -> Ended:
        return await self.good("deploy", "stage", "--tag", tag, *more)


def ask(server: Far, shop: Shop, host: str = "") -> str:
    """The version that answers through the server's gateway."""
    with server.engine.inside():
        connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=10)
        connection.request("GET", "/", headers={"Host": host or f"stage.{shop.name}.test"})
        answer = connection.getresponse()
        answer.read()
        return answer.headers.get("x-version", "") if answer.status == 200 else str(answer.status)


@pytest.fixture(scope="module")
def web1() -> Iterator[Far]:
    """One server for all tests of this file."""
    server = Far("web1", 11, Engine(size="1500m"))
    try:
        yield server.start(IMAGES[:3])
    finally:
        server.destroy()


@pytest.fixture(scope="module")
def images() -> Iterator[None]:
    """Versions of the app, on this machine only."""
    tags = [f"bl{RUN}/app:{version}" for version in VERSIONS]
    for tag, version in zip(tags, VERSIONS, strict=True):
        words = ["--build-arg", f"VERSION={version}", "--tag", tag, str(HERE / "app")]
        subprocess.run(["docker", "build", "--quiet", *words], check=True, capture_output=True)
    yield
    subprocess.run(["docker", "image", "rm", *tags], capture_output=True, check=False)


@contextlib.asynccontextmanager
async def a_laptop(*servers: Far) -> AsyncIterator[Laptop]:
    root = Path(tempfile.mkdtemp(prefix="bl-"))
    made = Laptop(root / "l").knows(*servers)
    try:
        yield made
    finally:
        await made.leave()
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
async def laptop(web1: Far) -> AsyncIterator[Laptop]:
    async with a_laptop(web1) as made:
        yield made


@pytest.fixture
async def shop(laptop: Laptop, web1: Far, images: None) -> AsyncIterator[Shop]:
    """An app that is not deployed yet, and a gateway for it."""
    up = await laptop.berth("-S", "web1", "gateway", "up")
    assert up.code == 0, up.said
    made = Shop(laptop, laptop.root / "shop").write()
    yield made
    await web1.berth("destroy", made.stack, "--confirm", made.stack)


async def test_a_command_says_the_same_there_and_here(laptop: Laptop, web1: Far) -> None:
    for words in (["status"], ["status", "--json"], ["show", "d99"], ["show", "d99", "--json"]):
        there, here = await asyncio.gather(laptop.berth("-S", "web1", *words), web1.berth(*words))
        assert (there.code, there.out, there.err) == (here.code, here.out, here.err)


async def test_a_deploy_brings_images_that_no_registry_has(shop: Shop, web1: Far) -> None:
    done = await shop.deploy("v1", "--json")
    assert (done.json()["release"], done.json()["is_changed"]) == (1, True)
    assert ask(web1, shop) == "v1"
    before = sent_bytes(web1)
    second = await shop.deploy("v2")
    assert ask(web1, shop) == "v2"
    assert sent_bytes(web1) - before < BASE_MEGABYTES / 10 * 1e6  # the layers below were there
    assert re.search(rf"{shop.stack}  r2 is live  \(d\d+, ", second.out)
    assert "switch r1 -> r2" in second.err
    again = await shop.berth("deploy", "stage", "--tag", "v2", "--json")
    assert (again.code, again.json()["is_changed"]) == (0, False)
    there, here = await asyncio.gather(
        shop.berth("releases", "stage", "--json"), web1.berth("releases", shop.stack, "--json")
    )
    assert there.json() == here.json()


async def test_a_bad_release_ends_with_1_and_its_report_comes_back(shop: Shop, web1: Far) -> None:
    await shop.deploy("v1")
    shop.write(BROKEN="error")
    done = await shop.berth("deploy", "stage", "--tag", "v2")
    assert done.code == 1, done.said
    assert "the new release was refused" in done.err
    assert ask(web1, shop) == "v1"


async def test_a_lost_connection_changes_nothing_and_attach_follows(shop: Shop, web1: Far) -> None:
    await shop.deploy("v1")
    held(shop)
    deploying = await shop.start("deploy", "stage", "--tag", "v2")
    await until(lambda: web1.engine.docker("ps", "-q", "--filter", f"name={shop.name}-stage-r2"))
    async with a_laptop(web1) as other:
        second = await Shop(other, shop.folder, shop.name).berth("deploy", "stage", "--tag", "v2")
    assert second.code == 4, second.said
    assert "is being changed by" in second.err
    web1.cut()
    cut = await end(deploying)
    assert (cut.code, "what was begun there goes on" in cut.err) == (3, True), cut.said
    following = await shop.start("attach")
    web1.engine.docker("exec", f"{shop.name}-stage-r2-web-1", "touch", "/tmp/go")
    done = await end(following)
    assert done.code == 0, done.said
    assert "switch r1 -> r2" in done.err
    assert re.search(r"d\d+ is succeeded", done.out)
    assert ask(web1, shop) == "v2"


async def test_ctrl_c_here_unwinds_there(shop: Shop, web1: Far) -> None:
    await shop.deploy("v1")
    held(shop)
    deploying = await shop.start("deploy", "stage", "--tag", "v2")
    await until(lambda: web1.engine.docker("ps", "-q", "--filter", f"name={shop.name}-stage-r2"))
    deploying.send_signal(2)
    done = await end(deploying)
    assert done.code == 130, done.said
    assert web1.engine.docker("ps", "-aq", "--filter", f"name={shop.name}-stage-r2") == ""
    assert ask(web1, shop) == "v1"


async def test_a_project_that_runs_there_is_adopted_from_here_and_given_back(
    shop: Shop, web1: Far
) -> None:
    web1.engine.load([f"bl{RUN}/app:v1"])
    project, files = f"{shop.name}x", ("--project-directory", str(shop.folder))
    settings = ("--env-file", str(shop.folder / ".env.stage"))
    shop.write(IMAGE_TAG="v1")
    compose = ("compose", "--project-name", project, *files, *settings)
    web1.engine.docker(*compose, "up", "--detach", "--pull", "never")
    name = ("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", f"{project}-web-1")
    before = web1.engine.docker(*name)
    try:
        planned = await shop.berth("adopt", project, "stage", "--plan")
        assert (planned.code, "record as live" in planned.out) == (0, True), planned.said
        done = await shop.berth("adopt", project, "stage", "--json")
        assert (done.code, done.json()["release"]) == (0, 0), done.said
        assert ask(web1, shop) == "v1"
        refused = await shop.berth("adopt", project, "stage", "--replace-proxy")
        assert (refused.code, "nobody has the ports 80 and 443" in refused.err) == (2, True)
        back = await shop.berth("adopt", project, "stage", "--undo")
        assert (back.code, "is given back" in back.out) == (0, True), back.said
        assert web1.engine.docker(*name) == before
    finally:
        await web1.berth("adopt", project, shop.stack, "--undo")
        web1.engine.docker(*compose, "down", "--timeout", "1")


async def test_a_terminal_here_shows_the_live_view(shop: Shop) -> None:
    ours, theirs = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(str(VENV / "berth"), "-C", str(shop.folder), "-S", "web1"),
        *("deploy", "stage", "--tag", "v1"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **shop.laptop.variables, "TERM": "xterm-256color", "NO_COLOR": ""},
        start_new_session=True,
    )
    os.close(theirs)
    said = await asyncio.to_thread(read_all, ours)
    assert await process.wait() == 0, said
    assert "\x1b[32m✔" in said
    assert "\x1b[?25l" in said  # the cursor is hidden while the view moves


async def test_a_wrong_or_unknown_host_key_gets_nothing(laptop: Laptop, web1: Far) -> None:
    make_key(laptop.root / "stranger")
    known = laptop.root / "user_known_hosts"
    known.write_text(f"{web1.address} {(laptop.root / 'stranger.pub').read_text()}")
    wrong = await laptop.berth("-S", "web1", "status")
    known.write_text("")
    unknown = await laptop.berth("-S", "web1", "status")
    assert (wrong.code, "is not the one that is known" in wrong.err) == (3, True), wrong.said
    assert (unknown.code, "is not known" in unknown.err) == (3, True), unknown.said


async def test_a_full_disk_there_stops_before_anything_changes(shop: Shop, web1: Far) -> None:
    await shop.deploy("v1")
    (shop.folder / "site.txt").write_text("x" * 100_000)
    with (shop.folder / ".env.stage").open("a") as file:
        file.write(f"# {'x' * 200_000}\n")
    ballast = web1.engine.fill()
    try:
        failed = await shop.berth("deploy", "stage", "--tag", "v2")
        assert failed.code == 3, failed.said
        assert "No space left on device" in failed.err
        assert ask(web1, shop) == "v1"
    finally:
        ballast.unlink()
    await shop.deploy("v2")


async def test_a_key_for_one_command_gets_no_shell(laptop: Laptop, web1: Far) -> None:
    before = web1.authorized_keys.read_text()
    trace = web1.root / "shell"
    async with a_laptop() as ci:
        public = ci.public_key
        words = ("server", "authorize", public, "--name", "ci", "--only", "status,check")
        printed = await laptop.berth("-S", "web1", *words, "--print")
        line = printed.out
        assert "restrict ssh-ed25519" in line, printed.said
        web1.authorized_keys.write_text(f"{before}{line}")
        (ci.root / "user_known_hosts").write_text(
            f"{web1.address} {(web1.root / 'host.pub').read_text()}"
        )
        ci.write_servers(web1=web1.address)
        good = await ci.berth("-S", "web1", "status", "--json")
        refused = await ci.berth("-S", "web1", "destroy", "x@prod", "--confirm", "x@prod")
        shell = await ssh(ci, web1, "touch", str(trace))
        forward = await ssh(ci, web1, "-N", "-o", "ExitOnForwardFailure=yes", "-R", "9:x:9")
    web1.authorized_keys.write_text(before)
    assert (good.code, refused.code) == (0, 2), good.said
    assert "the key ci may not run `berth destroy`; it may: check, status" in refused.err
    assert not trace.exists()
    assert (shell.out, forward.code) == ("", 255)


async def test_customers_are_looked_after_from_a_laptop(
    laptop: Laptop, web1: Far, images: None
) -> None:
    up = await laptop.berth("-S", "web1", "gateway", "up")
    assert up.code == 0, up.said
    shop = Shop(laptop, laptop.root / "shop").write()
    tenancy = f"tenancy: {{mode: silo, domain: {shop.name}.test}}\ndomains: {{custom: true}}\n"
    with (shop.folder / "berth.yaml").open("a") as file:
        file.write(tenancy)
    rows = laptop.root / "clients.csv"
    rows.write_text("name,GREETING\nacme,hello\nbeta,welcome\n")
    await shop.good("tenant", "add", "stage", "--from", str(rows), "--tag", "v1")
    listed = (await shop.good("tenant", "list", "stage", "--json")).json()["tenants"]
    assert {one["tenant"] for one in listed} == {f"{shop.stack}/acme", f"{shop.stack}/beta"}
    await shop.good("domain", "add", "stage/acme", f"acme.{shop.name}.example", "--vouched")
    assert f"acme.{shop.name}.example" in (await shop.good("domain", "list", "stage")).out
    assert ask(web1, shop, f"acme.{shop.name}.example") == "v1"
    rolled = await shop.good("rollout", "stage", "--tag", "v2", "--json")
    assert rolled.json()["state"] == "done"
    assert ask(web1, shop, f"beta.{shop.name}.test") == "v2"
    await shop.good("cert", "list", "--json")
    await a_project_there_is_only_planned(laptop, web1)
    saved = await shop.good("server", "backup", "--to", str(web1.root / "backups"), "--json")
    assert set(saved.json()["stacks"]) == {f"{shop.stack}/acme", f"{shop.stack}/beta"}
    assert "escrow code" in saved.err
    for name in ("acme", "beta"):
        stack = f"{shop.stack}/{name}"
        await shop.good("tenant", "remove", f"stage/{name}", "--confirm", stack)


async def a_project_there_is_only_planned(laptop: Laptop, web1: Far) -> None:
    blog = Shop(laptop, laptop.root / "blog").write(IMAGE_TAG="v1")
    words = ["--host", web1.engine.address, "compose", "-p", f"{blog.name}x"]
    words += ["--project-directory", str(blog.folder), "--env-file", f"{blog.folder}/.env.stage"]
    await docker(*words, "up", "--detach", "--pull", "never")
    try:
        planned = await blog.good("adopt", f"{blog.name}x", "stage", "--plan")
        assert "record as live" in planned.out
        assert blog.name not in (await blog.good("status")).out
    finally:
        await docker(*words, "down", "--timeout", "1")


async def test_three_servers_at_once_and_one_of_them_is_away(web1: Far) -> None:
    others = [Far(f"web{number}", 10 + number) for number in (2, 3)]
    try:
        await asyncio.gather(*(asyncio.to_thread(one.start) for one in others))
        async with a_laptop(web1, *others) as laptop:
            good = await laptop.berth("-S", "all", "status", "--json")
            others[1].stop_sshd()
            await laptop.hang_up()
            bad = await laptop.berth("-S", "all", "status", "--json")
            table = await laptop.berth("-S", "all", "status")
    finally:
        for one in others:
            one.destroy()
    codes = {name: one["exit_code"] for name, one in good.json()["servers"].items()}
    assert (good.code, codes) == (0, {"web1": 0, "web2": 0, "web3": 0})
    found = bad.json()["servers"]
    assert (bad.code, found["web2"]["exit_code"], found["web3"]["exit_code"]) == (3, 0, 3)
    assert found["web3"]["error"]["kind"] == "ServerUnreachable"
    assert (table.code, "web3 cannot be reached" in table.err) == (3, True)


async def test_a_server_is_added_and_upgraded(tmp_path: Path) -> None:
    server = Far("web4", 14, path="/usr/sbin:/usr/bin:/sbin:/bin")
    prefix = server.root / "prefix"
    server.path = f"{prefix}/usr/local/bin:{server.path}"
    server.variables = {"BERTHMASTER_PREFIX": str(prefix)}
    try:
        await asyncio.to_thread(server.start)
        async with a_laptop(server) as laptop:
            (laptop.root / "user_known_hosts").write_text("")
            laptop.write_servers()
            at = ("server", "add", "web4", server.address)
            missing = await laptop.berth("-S", "web4", "status")
            unconfirmed = await laptop.berth(*at)
            wrong = await laptop.berth(*at, "--host-key", "SHA256:nobody")
            done = await laptop.berth(*at, "--host-key", fingerprint(server))
            assert (unconfirmed.code, wrong.code, missing.code) == (2, 3, 3), unconfirmed.said
            assert done.code == 0, done.said
            assert "web4: the store is sound" in done.out
            status = await laptop.berth("-S", "web4", "status", "--json")
            assert status.json()["stacks"] == []
            checked = await laptop.berth("server", "check", "--json")
            assert [one["state"] for one in checked.json()["servers"]] == ["ok"], checked.out
            await upgraded(laptop, tmp_path)
    finally:
        server.destroy()


async def upgraded(laptop: Laptop, folder: Path) -> None:
    """A newer laptop is refused, upgrades the server, and then the older one is refused."""
    source = Path(berthmaster.__file__).parent
    shutil.copytree(source, folder / "berthmaster")
    (folder / "berthmaster/__init__.py").write_text('"""Newer."""\n\n__version__ = "0.2.0"\n')
    code = "import sys; from berthmaster.cli.main import main; sys.exit(main())"

    async def newer(*words: str) -> Ended:
        variables = {**laptop.variables, "PYTHONPATH": str(folder)}
        return await end(await start(sys.executable, "-c", code, *words, env=variables))

    refused = await newer("-S", "web4", "status")
    assert (refused.code, "berth server upgrade web4" in refused.err) == (2, True), refused.said
    done = await newer("server", "upgrade", "web4")
    assert (done.code, "berth 0.2.0 is installed" in done.out) == (0, True), done.said
    status = await newer("-S", "web4", "status", "--json")
    assert (status.code, status.json()["stacks"]) == (0, [])
    old = await laptop.berth("-S", "web4", "status")
    assert (old.code, "a newer Berthmaster: 0.2.0 there" in old.err) == (2, True), old.said
    back = await laptop.berth("server", "upgrade", "web4")
    assert (back.code, "nothing was changed" in back.err) == (2, True), back.said


def held(shop: Shop) -> None:
    """Make the next release wait until it is let go."""
    shop.write(BROKEN="held")
    path = shop.folder / "berth.yaml"
    path.write_text(path.read_text().replace("ready: 5s", "ready: 200s"))


def sent_bytes(server: Far) -> int:
    """What went to the server over its card."""
    return int(Path(f"/sys/class/net/{server.card}/statistics/tx_bytes").read_text())


def read_all(terminal: int) -> str:
    """What a terminal gets until nobody writes to it any more."""
    said = b""
    with contextlib.suppress(OSError):
        while data := os.read(terminal, 65536):
            said += data
    os.close(terminal)
    return said.decode(errors="replace")


def fingerprint(server: Far) -> str:
    words = ["ssh-keygen", "-lf", str(server.root / "host.pub")]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()[1]


async def ssh(laptop: Laptop, server: Far, *words: str) -> Ended:
    """Plain ssh with this laptop's key, whatever it asks for."""
    options = [word for word in words if word.startswith("-") or "=" in word or ":" in word]
    command = [word for word in words if word not in options]
    where = ["-F", f"{laptop.root}/config", "-o", "BatchMode=yes", *options, server.address]
    return await end(await start("ssh", *where, *command))
