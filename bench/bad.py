"""A corpus of bad releases, and of good ones that are awkward: is each judged right, is its cause
named, does the old release answer every request meanwhile? The table of `scripts/bench bad`.

Beside each: what `docker compose up --wait` says of the same files. Changes nothing outside the
server that it makes.
"""

import argparse
import asyncio
import os
import re
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.scenario.commands import docker, end, start
from tests.scenario.dsl import App
from tests.scenario.server import HERE as SCENARIO
from tests.scenario.server import Server

from bench.report import Budget, Cell, Report, observe_machine

HERE = Path(__file__).parent
COLUMNS = (
    *("release", "exit code", "deployment", "cause named", "requests lost", "requests"),
    *("seconds", "docker compose up --wait"),
)
COMPOSE_SECONDS = 30  # what `up --wait` is given
COMPOSE = """\
x-idle: &idle
  image: ${REGISTRY}/app:${IMAGE_TAG}
  command: [sh, -c, "trap 'exit 0' TERM; sleep 36000 & wait"]
  healthcheck: {test: [CMD, "true"], interval: 5s}
services:
  redis:
    image: berthmaster/redis:7
    volumes: ["queue:/data"]
    healthcheck: {test: [CMD, "true"], interval: 5s}
  web:
    image: ${REGISTRY}/app:${IMAGE_TAG}
    restart: unless-stopped
    environment: {BAD: "${BAD:-}"}
  worker: *idle
  beat: *idle
volumes:
  queue:
"""
BERTH = """\
app: APP
routes:
  - {path: /, service: web, port: 8000, ready: /health}
services:
  web: {drain: 3s, ready: 8s}
  worker: {role: consumer, drain: 2s, ready: 8s}
  beat: {role: single, drain: 2s, ready: 8s}
retention: {watch: 2s, warm: 10m}
environments:
  stage: {hosts: [stage.APP.test], entrypoint: plain}
"""
CRASHING = "  NAME:\n    image: ${REGISTRY}/app:${IMAGE_TAG}\n    environment: {BAD: crash}\n"
JOB = "jobs:\n  migrate: {service: web, command: COMMAND, timeout: 5s}\nretention:"
CHECK = "    restart: unless-stopped\n    healthcheck: {test: TEST, interval: 1s, retries: 3}\n"
RESTART = "    restart: unless-stopped\n"
Edits = tuple[tuple[str, str, str], ...]  # file, old, new


@dataclass(frozen=True, slots=True)
class Case:
    """A release and what must be said of it; `named` is what the report has to contain."""

    name: str
    named: str
    bad: str = ""
    edits: Edits = ()
    code: int = 1
    tag: str = "v2"
    has_compose: bool = True
    before: Edits = ()  # of the release that has to go on serving; a good one follows the case


@dataclass
class Judged:
    """What came of a case."""

    case: str
    is_good: bool
    wanted_code: int
    code: int = -1
    state: str = ""  # of the deployment; empty: none was opened
    named: str = ""  # the cause in the report
    is_named_right: bool = False
    asked: int = 0
    lost: list[str] = field(default_factory=list)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    compose_code: int | None = None
    compose_seconds: float = 0.0
    compose_said: str = ""

    @property
    def is_right(self) -> bool:
        return self.code == self.wanted_code and self.is_named_right and not self.faults

    @property
    def kept_serving(self) -> bool:
        return not self.lost


def compose(old: str, new: str) -> tuple[str, str, str]:
    return ("compose.yaml", old, new)


def berth(old: str, new: str) -> tuple[str, str, str]:
    return ("berth.yaml", old, new)


def web(line: str) -> Edits:
    return (compose(RESTART, f"{RESTART}    {line}\n"),)


def check(test: str) -> Edits:
    return (compose(RESTART, CHECK.replace("TEST", test)),)


def instead(name: str) -> Edits:
    return (compose(f"  {name}: *idle\n", CRASHING.replace("NAME", name)),)


def migrating(command: str) -> Edits:
    return (berth("retention:", JOB.replace("COMMAND", command)),)


LONG_WATCH = berth("watch: 2s", "watch: 20s")
SECRET: Edits = (
    *web('secrets: [token]\n    user: "0"'),  # it gives its rights up before it reads
    compose("volumes:\n  queue:\n", "volumes:\n  queue:\nsecrets: {token: {file: token}}\n"),
)
ROWS: Edits = (  # its readiness reads a table
    compose("  web:\n", """\
  db:
    image: berthmaster/postgres:15
    environment: {POSTGRES_USER: shop, POSTGRES_DB: shop, POSTGRES_HOST_AUTH_METHOD: trust}
    volumes: ["rows:/var/lib/postgresql/data"]
    healthcheck: {test: [CMD-SHELL, "pg_isready -h 127.0.0.1 -U shop"], interval: 1s, retries: 30}
  web:
    depends_on: {db: {condition: service_healthy}}
"""),
    compose('{BAD: "${BAD:-}"}', '{BAD: "${BAD:-}", ROWS: "yes"}'),
    compose("  queue:\n", "  queue:\n  rows:\n"),
    berth("retention:", "jobs:\n  migrate: {service: web, command: [python, /app/postgres.py, \""
          "CREATE TABLE IF NOT EXISTS rows (number int)\"], timeout: 60s}\nretention:"),
)  # fmt: skip


def after(statement: str) -> Edits:
    """Another migration than the one that makes the table."""
    return (berth("CREATE TABLE IF NOT EXISTS rows (number int)", statement),)


CASES = (
    Case("crash loop", "Its process ended with exit code 1", "crash"),
    Case("crash, no restart", "Its process ended with exit code 1", "crash", (
        compose(RESTART, ""),)),
    Case("exits 0", "exit code 0", "exits_zero"),
    Case("never healthy", "Its healthcheck fails", "", check('[CMD, "false"]')),
    Case("healthcheck without its tool", "not in the image", "",
         check('[CMD, curl, -f, "http://127.0.0.1:8000/"]')),
    Case("dies after 15 s", "Its process ended", "dies_after_15", (LONG_WATCH,)),
    Case("dies under requests", "Its process ended", "dies_under_requests",
         (LONG_WATCH,)),
    Case("wrong port", "listens on 0.0.0.0:9000", "wrong_port"),
    Case("listens on 127.0.0.1", "127.0.0.1:8000 only", "localhost"),
    Case("never listens", "Nothing listens on port 8000", "never_listens"),
    Case("answers 500", "answers 500", "answers_500"),
    Case("asks for a login", "answers 401", "needs_login"),
    Case("readiness path is not there", "answers 404", "no_such_path"),
    Case("redirects to https for ever", "redirect to https://", "redirects"),
    Case("refuses the Host header", "refuses the public Host header", "refuses_host"),
    Case("takes requests, never answers", "gives no HTTP answer", "hangs"),
    Case("speaks no HTTP", "gives no HTTP answer", "garbage"),
    Case("out of memory", "more memory than its limit", "out_of_memory", web("mem_limit: 64m")),
    Case("missing variable", "DATABASE_URL seems to be missing", "missing_variable"),
    Case("unreadable secret", "may not read", "unreadable_secret", SECRET),
    Case("missing image", "v99", tag="v99", code=3),
    Case("wrong architecture", "another processor", edits=web("command: [/app/foreign]")),
    Case("command not in the image", "/app/nothing: no such file",
         edits=web("command: [/app/nothing]")),
    Case("command not executable", "/app/app.py: permission denied",
         edits=web("command: [/app/app.py]")),
    Case("failing migration", "job migrate ended with exit code 4",
         edits=migrating("[sh, -c, 'echo no such table; exit 4']"), has_compose=False),
    Case("hanging migration", "job migrate did not end in 5 s",
         edits=migrating("[sleep, '600']"), has_compose=False),
    Case("migration that locks out the old code", "answers well again", before=ROWS,
         edits=after("LOCK TABLE rows IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"),
         has_compose=False),
    Case("migration that breaks the old code for good", "does NOT answer well", before=ROWS,
         edits=after("DROP TABLE rows"), has_compose=False),
    Case("worker dies, web is fine", "Its process ended with exit code 1", edits=instead("worker")),
    Case("scheduler dies, web is fine", "Its process ended with exit code 1",
         edits=instead("beat")),
    Case("bad smoke answer", "smoke", edits=(
        berth("retention:", "smoke: [{path: /, contains: welcome}]\nretention:"),)),
    Case("never listens, ignores SIGTERM", "Nothing listens on port 8000", "ignores_sigterm"),
    Case("fills its disk", "no space left", "fills_disk", web('tmpfs: ["/scratch:size=1m"]')),
    Case("floods its log, then dies", "Its process ended with exit code 3", "floods_log",
         (berth("ready: 8s}", "ready: 40s}"),)),  # so many lines take their time
    Case("needs a host that is not there", "cache", "needs_cache",
         (berth("ready: 8s}", "ready: 40s}"),)),  # resolvers take their time
    Case("needs a port that is closed", "refused", "needs_database"),
    Case("good: starts in 40 s", "", "slow_start", (berth("ready: 8s}", "ready: 60s}"),), 0),
    Case("good: healthcheck without curl", "", "", check(
        "[CMD, python, -c, \"import socket; socket.create_connection(('127.0.0.1', 8000))\"]"), 0),
    Case("good: no healthcheck", "", code=0),
    Case("good: job that ends with 0", "", "", (compose("  web:\n", (
        "  prepare:\n    image: ${REGISTRY}/app:${IMAGE_TAG}\n    command: [\"true\"]\n"
        "  web:\n    depends_on: {prepare: {condition: service_completed_successfully}}\n")),), 0),
    Case("good: tag and digest", "", "", (compose(
        "  web:\n    image: ${REGISTRY}/app:${IMAGE_TAG}",
        "  web:\n    image: ${REGISTRY}/app:v2@DIGEST"),), 0),
)  # fmt: skip


@dataclass
class Berth:
    """One stack with a good release, to which the cases are given one after the other."""

    app: App
    digest: str

    def write(self, edits: Edits, bad: str) -> None:
        self.app.folder.mkdir(parents=True, exist_ok=True)
        texts = {"compose.yaml": COMPOSE, "berth.yaml": BERTH}
        for name, old, new in edits:
            assert old in texts[name], old
            texts[name] = texts[name].replace(old, new, 1)
        for name, text in texts.items():
            mine = text.replace("APP", self.app.name).replace("DIGEST", self.digest)
            (self.app.folder / name).write_text(mine)
        secret = self.app.folder / "token"
        secret.write_text(os.urandom(20).hex())
        secret.chmod(0o600)
        self.app.give(BAD=bad)

    async def judge(self, case: Case) -> Judged:
        """Deploy a case, ask all the time, compare."""
        app = self.app
        if case.before:
            self.write(case.before, "")
            await app.deploy("v1")
        self.write((*case.before, *case.edits), case.bad)
        before, rows = await app.world(), len(app.deployment_states())
        judged = Judged(case.name, case.code == 0, case.code)
        beside = asyncio.create_task(self._compose(case, judged))
        async with app.watched() as seen:
            begin = time.monotonic()
            done = await app.berth("deploy", app.stack, "--tag", case.tag)
            judged.seconds = round(time.monotonic() - begin, 1)
            await asyncio.sleep(0.3)
            last = (await app.ask()).version
        judged.code, judged.asked, judged.lost = done.code, seen.count, seen.lost
        states = app.deployment_states()
        judged.state = str(states[-1]) if len(states) > rows else ""
        judged.named = cause_in(done.err) if done.code else ""
        judged.is_named_right = case.named in done.err
        if "bug in Berthmaster" in done.said or len(done.err) > 20_000:
            judged.faults.append("the report is not fit for people")
        if case.code:
            judged.faults += [f"not as before: {x}" for x in sorted(await app.world() ^ before)]
        if last != ("v1" if case.code else "v2"):
            judged.faults.append(f"{last} answers in the end")
        await beside
        return judged

    async def reset(self) -> None:
        """Back to v1 after a case that passed."""
        self.write((), "")
        await self.app.deploy("v1")

    async def _compose(self, case: Case, judged: Judged) -> None:
        if not case.has_compose:
            judged.compose_said = "does not know migrations"
            return
        variables = {"REGISTRY": self.app.server.images, "IMAGE_TAG": case.tag, "BAD": case.bad}
        words: tuple[str, ...] = ("docker", "compose")
        words += ("--project-name", f"{self.app.name}-plain")
        words += ("--file", str(await self._copied(case)))
        begin = time.monotonic()
        limit = ("--wait", "--wait-timeout", str(COMPOSE_SECONDS))
        done = await end(await start(*words, "up", "--detach", *limit, env=variables))
        judged.compose_seconds = round(time.monotonic() - begin, 1)
        judged.compose_code = done.code
        judged.compose_said = _last_line(done.said)
        down = ("down", "--volumes", "--timeout", "0")
        await end(await start(*words, *down, env=variables))

    async def _copied(self, case: Case) -> Path:
        """The same file elsewhere: the env file of the stack must not be read."""
        folder = self.app.folder.parent / f"{self.app.name}-plain"
        folder.mkdir(exist_ok=True)
        for name in ("compose.yaml", "token"):
            (folder / name).write_text((self.app.folder / name).read_text())
        (folder / "token").chmod(0o600)
        return folder / "compose.yaml"


def cause_in(report: str) -> str:
    """The sentence of the report that names the cause."""
    found = re.search(r"^ *cause +(.+)$", report, re.MULTILINE)
    found = found or re.search(r"the new release was refused\n\s*(.+)$", report, re.MULTILINE)
    return (found.group(1) if found else _first_failure(report))[:300]


def _first_failure(report: str) -> str:
    """What a report without a container begins with."""
    said = (line for line in report.splitlines() if line.startswith("berth: "))
    return next(said, _last_line(report)).removeprefix("berth: ")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


class BadServer(Server):
    """A server whose registry holds the corpus's image."""

    async def _build(self, version: str) -> None:
        image = f"{self.images}/app:{version}"
        arguments = ("--build-arg", f"VERSION={version}", "--tag", image)
        context = self.root / f"bad_app-{version}"
        shutil.copytree(HERE / "bad_app", context, dirs_exist_ok=True)
        shutil.copy(SCENARIO / "app/postgres.py", context)
        await docker("build", "--quiet", *arguments, str(context))
        await docker("push", "--quiet", image)

    async def digest(self) -> str:
        form = "{{index .RepoDigests 0}}"
        found = await docker("image", "inspect", "--format", form, f"{self.images}/app:v2")
        return found.partition("@")[2]


async def judge_all(cases: Sequence[Case], jobs: int) -> list[Judged]:
    """Judge the corpus on one server, `jobs` stacks side by side."""
    server = BadServer()
    left, judged = list(cases), list[Judged]()
    try:
        await server.set_up()
        digest = await server.digest()
        await asyncio.gather(*(_worker(server, digest, n, left, judged) for n in range(jobs)))
    finally:
        await server.destroy()
    order = {case.name: number for number, case in enumerate(cases)}
    return sorted(judged, key=lambda item: order[item.case])


async def _worker(
    server: Server, digest: str, number: int, left: list[Case], judged: list[Judged]
) -> None:
    stack = Berth(App(server, f"bad{number}", "stage"), digest)
    await stack.reset()
    while left:
        case = left.pop(0)
        found = await stack.judge(case)
        judged.append(found)
        print(line(found), file=sys.stderr, flush=True)
        if found.code == 0 or case.before:
            await stack.reset()
    await server.remove_app(stack.app.name)


def line(item: Judged) -> str:
    verdict = "right" if item.is_right else f"WRONG {item.faults}"
    loss = f"{len(item.lost)} of {item.asked} lost {item.lost[:4]}"
    said = {None: "-", 0: "yes"}.get(item.compose_code, "no")
    return (
        f"{item.case}: exit {item.code} {item.state} in {item.seconds} s, {loss}, {verdict}: "
        f"{item.named} | compose: {said} in {item.compose_seconds} s: {item.compose_said}"
    )


def report_on(found: Sequence[Judged]) -> Report:
    """One row a release; a wrong verdict or a wrongly named cause misses the budget."""
    report = Report("bad", "Bad releases, and good ones that are awkward", COLUMNS)
    report.rows = [_row(item) for item in found]
    bad = [item for item in found if not item.is_good]
    beside = [item for item in bad if item.compose_code is not None]
    report.budgets = [
        Budget("bad releases called good", sum(item.code == 0 for item in bad), 0),
        Budget("good releases refused", sum(item.code != 0 for item in found if item.is_good), 0),
        Budget("causes named wrongly", sum(not item.is_named_right for item in found), 0),
        Budget("verdicts wrong in anything", sum(not item.is_right for item in found), 0),
    ]
    report.notes = [
        f"docker compose up --wait called {sum(item.compose_code == 0 for item in beside)} of "
        f"{len(beside)} bad releases good; the migrations are not in its file",
        f"{sum(len(item.lost) for item in found)} of {sum(item.asked for item in found)} requests "
        "lost: a release that dies after the switch loses what it was answering",
        *(line(item) for item in found if not item.is_right),
    ]
    return report


def _row(item: Judged) -> tuple[Cell, ...]:
    said = {None: "-", 0: "good"}.get(item.compose_code, "bad")
    state = item.state or "not begun"
    return (item.case, item.code, state, item.named, len(item.lost), item.asked, item.seconds, said)


def main() -> int:
    """Some releases only: `python -m bench.bad --only disk`; 1 when one is judged wrong."""
    parser = argparse.ArgumentParser(description="bad releases on a real engine")
    parser.add_argument("--only", action="append", help="part of a case's name")
    parser.add_argument("--jobs", type=int, default=2, help="stacks side by side")
    parser.add_argument("--json", action="store_true", help="write bench/results too")
    given = parser.parse_args()
    wanted = given.only or [""]
    cases = [case for case in CASES if any(part in case.name for part in wanted)]
    machine = observe_machine()  # before it is busy
    report = report_on(asyncio.run(judge_all(cases, given.jobs)))
    report.machine = machine
    report.print()
    if given.json:
        report.save()
    return 0 if report.rows and report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
