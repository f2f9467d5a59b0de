"""How long and how large a command is, with a small and with a large store.

Two stores: the records of 300 stacks written through `SqliteStore` (nothing of them runs), and 200
folders that are unchanged and whose containers run under plain Compose, which is what
`deploy --all` is compared with. Those have no network: 200 Compose projects with one each need more
than an untouched daemon has.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from tests import builders
from tests.scenario.commands import end, start

from bench.process import BERTH, run
from bench.report import Budget, Report
from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.adapters.clock import SystemClock
from berthmaster.adapters.store.sqlite import SqliteStore
from berthmaster.domain.names import StackId
from berthmaster.planner.deploy import plan_deploy

BLOCK = "10.227.0.0/16"
IMAGE = "berthmaster/base:12"
COMPOSE_YAML = f"""\
services:
  web:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
    network_mode: none
    labels: {{berthmaster.test: bench}}
"""
BERTH_YAML = """\
app: {name}
routes:
  - {{path: /, service: web, port: 8000}}
environments:
  prod: {{hosts: [{name}.test]}}
"""


async def measure(*, rounds: int = 7, stacks: int = 200) -> Report:
    """About four minutes, most of it for the 200 stacks of the comparison."""
    report = Report(
        "cli", "Commands", ("what", "rounds", "median_s", "least_s", "most_s", "memory_mb")
    )
    with tempfile.TemporaryDirectory(prefix="bcli-") as name:
        root = Path(name)
        with _installation(root / "records", 300) as many:
            version = _add(report, "berth --version", many, ("--version",), rounds)
            status = _add(report, "berth status, 300 stacks", many, ("status",), rounds)
        plans = _plans(report, 500, rounds)
        ratio = await _compare(report, root, stacks, max(1, rounds // 2))
    memory = max(float(row[5]) for row in report.rows if isinstance(row[5], float))
    report.budgets = [
        Budget("berth --version", version, 0.15, " s"),
        Budget("berth status with 300 stacks", status, 0.5, " s"),
        Budget("plan over 500 stacks", plans, 2, " s"),
        Budget(f"deploy --all / docker compose up -d, {stacks} unchanged stacks", ratio, 0.1),
        Budget("memory of one run", memory, 80, " MB"),
    ]
    return report


_ALL = ("deploy", "--all")


def _add(report: Report, what: str, settings: Path, words: Sequence[str], rounds: int) -> float:
    run(settings, BERTH, *words)  # compiled and cached from here on
    runs = [run(settings, BERTH, *words) for _ in range(rounds)]
    seconds = [one.seconds for one in runs]
    memory = max(one.memory_mb for one in runs)
    _add_row(report, what, seconds, memory)
    return statistics.median(seconds)


def _add_row(report: Report, what: str, seconds: Sequence[float], memory: float | str) -> None:
    values = (statistics.median(seconds), min(seconds), max(seconds))
    size = round(memory, 1) if isinstance(memory, float) else memory
    report.rows.append((what, len(seconds), *(round(value, 3) for value in values), size))


@contextmanager
def _installation(root: Path, count: int, *, has_folders: bool = False) -> Iterator[Path]:
    """A store with live stacks, made without an engine; gives its settings file."""
    root.mkdir()
    engine = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    settings = root / "settings.toml"
    settings.write_text(
        f'state_folder = "{root}/s"\naddress_block = "{BLOCK}"\ndocker_host = "{engine}"\n'
        'disk_floor_percent = 1\n[gateway]\ncontainer_prefix = "bcli"\n'
    )
    (root / "s").mkdir()
    store = SqliteStore(root / "s/store.db", block=BLOCK, clock=SystemClock())
    with store.transaction():
        for number in range(count):
            _add_stack(store, root, f"app{number:03d}", has_folders=has_folders)
    store.close()
    yield settings


def _add_stack(store: SqliteStore, root: Path, name: str, *, has_folders: bool) -> None:
    stack, folder, fingerprint = StackId(name, "prod"), root / name, "none"
    if has_folders:
        folder.mkdir()
        (folder / "compose.yaml").write_text(COMPOSE_YAML)
        (folder / "berth.yaml").write_text(BERTH_YAML.format(name=name))
        specs = BerthfileSpecs()
        fingerprint = specs.fingerprint(specs.read(folder), "prod", {})
    store.add_stack(stack, str(folder))
    store.add_release(replace(builders.release(1), stack=stack, tag=None, fingerprint=fingerprint))
    lease = store.acquire_lease(str(stack), holder="bench", seconds=60)
    store.mark_live(stack, 1, old=None, warm_until=None, fence=lease.fence)
    store.release_lease(lease)


def _plans(report: Report, count: int, rounds: int) -> float:
    """The planner alone: an update of each stack with web, worker, beat, database, migration."""
    old, new = builders.release(6), builders.release(7)
    worlds = []
    for number in range(count):
        stack = StackId(f"app{number:03d}", "prod")
        world = builders.observed(replace(old, stack=stack))
        worlds.append((replace(new, stack=stack), replace(world, stack=stack)))
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for number, (release, world) in enumerate(worlds):
            plan_deploy(release, world, slots=(number + 1,))
        seconds.append(time.perf_counter() - begin)
    _add_row(report, f"plan, {count} stacks (planner only)", seconds, "-")
    return statistics.median(seconds)


async def _compare(report: Report, root: Path, count: int, rounds: int) -> float:
    """The same folders: `berth deploy --all` and `docker compose up -d` in each."""
    ours: list[float] = []
    theirs: list[float] = []
    memory = 0.0
    with _installation(root / "both", count, has_folders=True) as settings:
        folders = sorted(path.parent for path in (root / "both").glob("*/compose.yaml"))
        async with _composed(folders):
            run(settings, BERTH, *_ALL)
            for _ in range(rounds):
                one = run(settings, BERTH, *_ALL)
                ours.append(one.seconds)
                memory = max(memory, one.memory_mb)
                runs = [run(settings, *_compose(folder, "up", "--detach")) for folder in folders]
                theirs.append(sum(each.seconds for each in runs))
    _add_row(report, f"deploy --all, {count} unchanged", ours, memory)
    _add_row(report, f"docker compose up -d, the same {count}", theirs, "-")
    return statistics.median(ours) / statistics.median(theirs)


@asynccontextmanager
async def _composed(folders: Sequence[Path]) -> AsyncIterator[None]:
    """Started and ended four at a time."""
    turn = asyncio.Semaphore(4)

    async def do(folder: Path, *words: str) -> None:
        async with turn:
            await _must(*_compose(folder, *words))

    try:
        await asyncio.gather(*(do(folder, "up", "--detach") for folder in folders))
        yield
    finally:
        await asyncio.gather(*(do(folder, "down", "--timeout", "1") for folder in folders))


async def _must(*words: str) -> None:
    ended = await end(await start(*words))
    if ended.code:
        raise RuntimeError(ended.said)


def _compose(folder: Path, *words: str) -> tuple[str, ...]:
    project = f"bcli{os.getpid()}-{folder.name}"
    directory = ("--project-directory", str(folder), "--project-name", project)
    return ("docker", "compose", *directory, *words)
