"""A project with data is adopted under load, deployed, turned back and given back, both ways.

The product: adopted beside its owner's proxy, deployed to v2, turned back to r0; then the gateway
takes the proxy's port (`--replace-proxy`), the same again, the port and the project are given back.
After each phase the rows of PostgreSQL and the sessions in Redis must be what they were, and their
containers the same, not even restarted.

The controls: `docker compose down` and `up` as another project over the same volumes, as people
take a project over; stop the proxy and start another one; stop it and have the gateway, which runs
beside it, listen. Each must lose requests, or the figures mean nothing.

Visitors ask over TLS at the proxy's own port and never ask again: two on a new connection for each
request, two on connections that they keep and, as the libraries of clients do, look at before use.
Each request reads the database. While the gateway serves beside the proxy, two more ask there.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from tests.apart import free_ports
from tests.scenario.commands import docker
from tests.scenario.dsl import App
from tests.scenario.foreign import CHECKSUM, Foreign
from tests.scenario.proxied import Proxied
from tests.scenario.server import until

from bench.load import Load, Tally, run, running
from bench.report import Budget, Cell, Report
from bench.site import server
from berthmaster.domain.routing import TAKEOVER_FILE

RATE = 60.0  # requests a second of each kind
CONTROLS = 3
OVER, BACK = "adopt --replace-proxy", "adopt --replace-proxy --undo"
EXTERNAL = "volumes:\n" + "".join(
    f"  {name}: {{external: true, name: PROJECT_{name}}}\n" for name in ("queue", "rows")
)


@dataclass(slots=True)
class Sum:
    """Over all times that one way was gone."""

    times: int = 0
    fresh: Tally = field(default_factory=Tally)
    kept: Tally = field(default_factory=Tally)
    gap: float = 0.0
    seconds: float = 0.0
    planned: str | float = "-"


@dataclass(slots=True)
class Scene:
    """The project, its proxy, its data as it was, and what was found of each way."""

    app: App
    proxied: Proxied
    owned: Foreign
    data: list[str] = field(default_factory=list)
    state: list[str] = field(default_factory=list)
    found: dict[str, Sum] = field(default_factory=dict)
    looked: int = 0
    differing: int = 0  # data
    changed: int = 0  # containers of state

    async def look(self) -> tuple[list[str], list[str]]:
        """Rows and sessions; containers of state with the time of their start."""
        sessions = await self.owned.redis("HGETALL", "sessions")
        names = (f"{self.owned.project}-{name}-1" for name in ("db", "redis"))
        return [await self.owned.psql(CHECKSUM), *sessions], await self.app.started(*names)

    async def compare(self) -> None:
        """After each phase."""
        data, state = await self.look()
        self.looked += 1
        self.differing += data != self.data
        self.changed += state != self.state


async def measure(*, rounds: int = 3) -> Report:
    """About five minutes."""
    columns = (
        *("how", "times", "requests", "lost", "lost_kept_open"),
        *("gap_s", "planned_gap_s", "takes_s"),
    )
    report = Report("adopt", "A project with data is adopted under load and given back", columns)
    async with server() as made:
        tls, web = free_ports(2)
        app = App(made, "visited").write("visited").give(TLS_PORT=str(tls))
        scene = Scene(app, Proxied(app, tls), Foreign(app, web))
        try:
            await _set_up(scene)
            for _ in range(rounds):
                await _round(scene)
            await _controls(scene)
        finally:
            await scene.proxied.tear_down()
    _report(report, scene)
    return report


async def _set_up(scene: Scene) -> None:
    await scene.proxied.start()
    await scene.owned.fill()
    await _settled(scene)
    await scene.app.done("adopt", scene.proxied.project, scene.app.stack)
    await scene.proxied.bring_certificate()
    await scene.app.done("adopt", scene.proxied.project, scene.app.stack, "--undo")
    scene.data, scene.state = await scene.look()


async def _round(scene: Scene) -> None:
    """Beside the proxy, then in its place, and back to how it was."""
    app, project, stack = scene.app, scene.proxied.project, scene.app.stack

    async def berth(*words: str) -> None:
        await app.done(*words)

    beside, instead = "", ", in the proxy's place"
    await _product(scene, "adopt", lambda: berth("adopt", project, stack))
    for where in (beside, instead):
        if where == instead:
            await _product(scene, OVER, lambda: _replace(scene))
        both = where == beside
        await _product(
            scene, f"deploy{where}", lambda: berth("deploy", stack, "--tag", "v2"), both=both
        )
        back = ("rollback", stack, "--to", "r0")
        await _product(scene, f"rollback to r0{where}", lambda: berth(*back), both=both)  # noqa: B023 - called at once
    await _product(scene, BACK, lambda: _replace(scene, "--undo"))
    await _product(scene, "adopt --undo", lambda: berth("adopt", project, stack, "--undo"))


async def _product(
    scene: Scene, name: str, change: Callable[[], Awaitable[None]], *, both: bool = False
) -> None:
    found = scene.found.setdefault(name, Sum())
    if name in (OVER, BACK):
        found.planned = await _planned(scene, *(("--undo",) if name == BACK else ()))
    await _measured(scene, found, change, both=both)
    await scene.compare()


async def _planned(scene: Scene, *words: str) -> float:
    """The gap that the plan prints."""
    done = await scene.proxied.replace(*words, "--plan", "--json")
    if done.code:
        raise RuntimeError(done.said)
    return max(float(gap["seconds"]) for gap in done.json()["gaps"])


async def _controls(scene: Scene) -> None:
    for name, there, back in (
        ("compose down, up as another project", _other_project, _first_project),
        ("stop the proxy, start another one", _other_container, _first_container),
        ("stop the proxy, the gateway listens", _listen, _stop_listening),
    ):
        found = scene.found.setdefault(name, Sum())
        if there is _listen:
            await scene.app.done("adopt", scene.proxied.project, scene.app.stack)
        for _ in range(CONTROLS):
            await _measured(scene, found, lambda there=there: there(scene))  # type: ignore[misc]
            await back(scene)


async def _measured(
    scene: Scene, found: Sum, change: Callable[[], Awaitable[None]], *, both: bool = False
) -> None:
    fresh, kept = (replace(_load(scene), keeps_alive=one) for one in (False, True))
    loads = [fresh, kept]
    if both:  # who comes through the gateway already
        there = replace(fresh, port=scene.app.server.https)
        loads += [replace(one, port=there.port) for one in loads]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_watched(scene, found))
        tallies = [await stack.enter_async_context(running(one)) for one in loads]
        await asyncio.sleep(0.5)
        begin = time.perf_counter()
        await change()
        found.seconds += time.perf_counter() - begin
        await asyncio.sleep(1.0)
    found.times += 1
    for load, part in zip(loads, tallies, strict=True):
        total = found.kept if load.keeps_alive else found.fresh
        total.statuses += part.statuses
        total.failures += part.failures
        total.versions += part.versions


def _load(scene: Scene) -> Load:
    load = scene.proxied.load(keeps_alive=False)
    return replace(load, path="/rows", clients=2, rate=RATE, timeout_seconds=5.0)


@asynccontextmanager
async def _watched(scene: Scene, found: Sum) -> AsyncIterator[None]:
    """The longest time between two answers with a failure between them, on new connections."""
    is_over = asyncio.Event()

    async def watch() -> None:
        answered, has_failed = time.perf_counter(), False
        while not (is_over.is_set() and not has_failed):
            one = await run(replace(_load(scene), clients=1, rate=None, requests=1))
            if one.lost:
                has_failed = True
            else:
                if has_failed:
                    found.gap = max(found.gap, time.perf_counter() - answered)
                answered, has_failed = time.perf_counter(), False
            await asyncio.sleep(0.01)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        is_over.set()
        await asyncio.wait_for(task, 60)


async def _replace(scene: Scene, *words: str) -> None:
    done = await scene.proxied.replace("--json", *words)
    if done.code:
        raise RuntimeError(done.said)
    said = json.loads(done.out)
    if said["lost"]:
        raise RuntimeError(f"berth itself saw a gap: {said}")


async def _other_project(scene: Scene) -> None:
    """As people do: down, and up under another name, with the volumes of the first."""
    project = scene.owned.project
    path = scene.app.folder / "volumes.yaml"
    path.write_text(EXTERNAL.replace("PROJECT", project))
    await scene.owned.compose("down")
    await _compose_other(scene, "up", "--detach", "--quiet-pull")


async def _first_project(scene: Scene) -> None:
    await _compose_other(scene, "down", "--timeout", "1")
    await scene.proxied.compose("up", "--detach", "--quiet-pull")
    await _settled(scene)


async def _compose_other(scene: Scene, *words: str) -> None:
    folder, project = scene.app.folder, f"{scene.owned.project}-other"
    where = ("--project-name", project, "--project-directory", str(folder))
    files = ("--file", str(folder / "compose.yaml"), "--file", str(folder / "volumes.yaml"))
    await docker("compose", *where, *files, "--env-file", str(folder / ".env.prod"), *words)


async def _other_container(scene: Scene) -> None:
    """The same proxy from the same files, as if it were another one."""
    folder, proxied = scene.app.folder, scene.proxied
    name = f"{proxied.proxy}-other"
    mounts = ("proxy.conf:/etc/nginx/conf.d/default.conf:ro", "tls:/etc/nginx/tls:ro")
    volumes = [word for item in mounts for word in ("--volume", f"{folder}/{item}")]
    await docker(
        *("create", "--name", name, "--publish", f"{proxied.port}:443", *volumes),
        *("--network", f"{proxied.project}_default", "berthmaster/nginx:1.22"),
    )
    await docker("stop", proxied.proxy)
    await docker("start", name)


async def _first_container(scene: Scene) -> None:
    await docker("rm", "--force", f"{scene.proxied.proxy}-other")
    await docker("start", scene.proxied.proxy)
    await _settled(scene)


async def _listen(scene: Scene) -> None:
    """What the product does, without leading anybody there meanwhile."""
    path = scene.app.server.state / "gateway" / TAKEOVER_FILE
    proxy = {"container": "none", "name": "none", "restart": "no", "inside": []}
    taken = [{"entrypoint": "https", "port": scene.proxied.port}]
    await docker("stop", scene.proxied.proxy)
    text = {"type": "Takeover", "stack": "", "proxy": proxy, "ports": taken, "listens": True}
    path.write_text(json.dumps(text))
    await scene.app.done("gateway", "up")


async def _stop_listening(scene: Scene) -> None:
    (scene.app.server.state / "gateway" / TAKEOVER_FILE).unlink()
    await scene.app.done("gateway", "up")
    await docker("start", scene.proxied.proxy)
    await _settled(scene)


async def _settled(scene: Scene) -> None:
    async def answers() -> bool:
        once = replace(_load(scene), clients=1, rate=None, requests=1)
        return (await run(once)).lost == 0

    await until(answers)


def _report(report: Report, scene: Scene) -> None:
    controls = list(scene.found)[-3:]
    product = {name: one for name, one in scene.found.items() if name not in controls}
    for name, found in scene.found.items():
        count = found.fresh.count + found.kept.count
        row: tuple[Cell, ...] = (found.times, count, found.fresh.lost, found.kept.lost)
        times = (round(found.gap, 2), found.planned, round(found.seconds / found.times, 1))
        report.rows.append((name, *row, *times))
    seen = {version for one in product.values() for version in (*one.fresh.versions,)}
    handed = [product[name] for name in (OVER, BACK)]
    rest = [one for name, one in product.items() if name not in (OVER, BACK)]
    report.budgets += [
        Budget("lost, the hand-over of the port apart", sum(_lost(one) for one in rest), 0),
        Budget("lost on new connections in it", sum(one.fresh.lost for one in handed), 0),
        Budget(
            "lost on kept ones in it, a time",
            sum(one.kept.lost for one in handed) / sum(one.times for one in handed),
            1,
        ),
        Budget("longest gap, all of it", max(one.gap for one in product.values()), 0.0, " s"),
        Budget(f"data differs, of {scene.looked} looks", scene.differing, 0),
        Budget("containers of data made anew or restarted", scene.changed, 0),
        Budget("versions that visitors saw", len(seen & {"v1", "v2"}), 2, is_floor=True),
    ]
    for name in controls:
        lost = scene.found[name].fresh.lost
        report.budgets.append(Budget(f"control loses some, {name}", lost, 1, is_floor=True))


def _lost(found: Sum) -> int:
    return found.fresh.lost + found.kept.lost
