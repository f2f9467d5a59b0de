"""Deploys under a steady, mixed load: `scripts/bench load [--deploys 100] [--rate 1000] [--short]`.

Whole deploys (not switches between warm releases, as in `switch`), one after the other, while
visitors ask at a fixed rate. Beside it what others lose under the same load: plain Compose, Docker
Swarm and, when its script is here, docker-rollout. All of them on one Docker Engine of this run's
own, in a network namespace of its own, because Swarm changes its engine.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.scenario import server as scenario
from tests.scenario.dsl import App
from tests.scenario.engine import IMAGES, Engine

from bench.load import Tally
from bench.mixture import SHARES, Sessions, Target, Visit, visiting
from bench.peers import DockerRollout, Peer, PlainCompose, SwarmStartFirst
from bench.report import Budget, Cell, Report
from bench.site import make_app, server

SECONDS_A_DEPLOY = 10  # of load at least for each deploy: 100 at 1,000/s make 1,000,000 requests
SETTLE_SECONDS = 2.0  # of load before the first deploy and after each
COLUMNS = (
    *("who", "what", "deploys", "count", "lost", "how", "p50_ms", "p99_ms", "late"),
    "deploy_s",
)
_KINDS = {
    "ConnectionRefusedError": "refused",
    "ConnectionResetError": "reset",
    "IncompleteReadError": "cut",
    "TimeoutError": "no answer in time",
}


@dataclass(frozen=True, slots=True)
class Size:
    """How long it takes: the figures need the defaults."""

    deploys: int = 100
    rate: float = 1000.0
    peer_deploys: int = 5
    peers: bool = True
    rollout: Path | None = None  # docker-rollout's script

    @property
    def requests(self) -> int:
        """Short requests at least, in our own run."""
        return int(self.deploys * self.rate * SECONDS_A_DEPLOY)


@dataclass(slots=True)
class Outcome:
    """What one candidate did to its visitors."""

    who: str
    visit: Visit
    deploys: list[float] = field(default_factory=list)  # seconds of each command
    failed: str = ""  # why it stopped before its last deploy


def measure(size: Size) -> Report:
    """About 20 minutes at 100 deploys, 4 of them for the peers."""
    title = f"Deploys under {size.rate:g} requests/s: {size.deploys} of ours, no retry by anybody"
    report = Report("load-peers" if size.peers else "load", title, COLUMNS)
    engine = Engine()
    try:
        engine.start(IMAGES)
        with engine.inside():
            asyncio.run(_measure(size, report))
    finally:
        engine.destroy()
    return report


async def _measure(size: Size, report: Report) -> None:
    async with server() as made:
        app = _make_app(made)
        await app.deploy("v1")
        target = Target("127.0.0.1", made.plain, app.host)
        ours = await _under_load("berth deploy", target, size, lambda tag: _deploy(app, tag))
        _add(report, ours)
        report.budgets += _budgets(ours, size)
        await made.remove_app(app.name)
        for kind in _peers(size, report) if size.peers else ():
            await _measure_peer(kind(made), size, report)


def _make_app(made: scenario.Server) -> App:
    app = make_app(made, "shop", replicas=1)
    yaml = app.folder / "berth.yaml"
    yaml.write_text(yaml.read_text() + "retention: {watch: 2s}\n")
    return app


async def _deploy(app: App, tag: str) -> None:
    await app.deploy(tag)


def _peers(size: Size, report: Report) -> tuple[type[Peer], ...]:
    script = size.rollout or _installed_rollout()
    if script is None:
        report.notes.append("docker-rollout: its script is not here (--rollout FILE); left out")
        return PlainCompose, SwarmStartFirst
    DockerRollout.script = script
    return PlainCompose, DockerRollout, SwarmStartFirst


def _installed_rollout() -> Path | None:
    plugin = Path.home() / ".docker/cli-plugins/docker-rollout"
    found = shutil.which("docker-rollout")
    return plugin if plugin.is_file() else Path(found) if found else None


async def _measure_peer(peer: Peer, size: Size, report: Report) -> None:
    """A peer that cannot be run here leaves a note and no row."""
    report.notes.append(f"{peer.name}: {peer.note}")
    few = Size(deploys=size.peer_deploys, rate=size.rate)
    try:
        target = await peer.begin()
        outcome = await _under_load(peer.name, target, few, peer.deploy)
    except (RuntimeError, AssertionError, TimeoutError) as error:
        report.notes.append(f"{peer.name} could not be measured: {error!r}")
        return
    finally:
        await peer.end()
    _add(report, outcome)
    if isinstance(peer, PlainCompose) and not isinstance(peer, DockerRollout):
        lost = outcome.visit.all_requests().lost
        report.budgets.append(Budget("control, plain Compose loses some", lost, 1, is_floor=True))


async def _under_load(
    who: str, target: Target, size: Size, deploy: Callable[[str], Awaitable[None]]
) -> Outcome:
    """v2, v1, v2, ... while visitors ask; then until enough was asked."""
    begin, failed = time.monotonic(), ""
    seconds: list[float] = []
    async with visiting(target, size.rate) as visit:
        await asyncio.sleep(SETTLE_SECONDS)
        for number in range(size.deploys):
            began = time.monotonic()
            try:
                await deploy(f"v{2 - number % 2}")
            except (RuntimeError, AssertionError, TimeoutError) as error:
                failed = repr(error)[:500]
                break
            seconds.append(time.monotonic() - began)
            print(f"{who}: {len(seconds)} of {size.deploys}", file=sys.stderr, flush=True)
            await asyncio.sleep(SETTLE_SECONDS)
        left = size.deploys * SECONDS_A_DEPLOY + SETTLE_SECONDS - (time.monotonic() - begin)
        if left > 0 and not failed:
            await asyncio.sleep(left)
    return Outcome(who, visit, seconds, failed)


def _budgets(ours: Outcome, size: Size) -> list[Budget]:
    visit, whole = ours.visit, ours.visit.all_requests()
    return [
        Budget("deploys done", len(ours.deploys), size.deploys, is_floor=True),
        Budget("requests asked", whole.count, size.requests, is_floor=True),
        # A machine that is too busy asks less often, and its figures are not those of this load.
        Budget("requests a second", whole.per_second, 0.95 * size.rate, is_floor=True),
        Budget("requests lost", whole.lost, 0),
        Budget("requests of 5 s lost", visit.slow.lost, 0),
        Budget("WebSockets cut", len(visit.sockets.broken), 0),
        Budget("event streams cut", len(visit.streams.broken), 0),
        Budget("versions seen", len(whole.versions), 2, is_floor=True),
    ]


def _add(report: Report, outcome: Outcome) -> None:
    """A row for each kind of visitor; the deploys' times stand in the first."""
    visit, count = outcome.visit, len(outcome.deploys)
    times = "-"
    if outcome.deploys:
        middle, most = statistics.median(outcome.deploys), max(outcome.deploys)
        times = f"{middle:.1f} (most {most:.1f})"
    rows: list[tuple[Cell, ...]] = [("requests", count, *_of_tally(visit.all_requests()), times)]
    rows += [(kind, count, *_of_tally(visit.requests[kind]), "-") for kind in SHARES]
    rows.append(("requests of 5 s", count, *_of_tally(visit.slow), "-"))
    for name, sessions in (("WebSockets, 8 s", visit.sockets), ("streams, 8 s", visit.streams)):
        rows.append((name, count, *_of_sessions(sessions), "-"))
    report.rows += [(outcome.who, *row) for row in rows]
    asked = visit.all_requests().per_second
    report.notes.append(f"{outcome.who}: {asked:.0f} requests/s were asked")
    if outcome.failed:
        report.notes.append(f"{outcome.who} failed after {count} deploys: {outcome.failed}")


def _of_tally(tally: Tally) -> tuple[Cell, ...]:
    bad = {str(status): count for status, count in tally.statuses.items() if status >= 500}
    kinds: dict[str, int] = {**tally.failures, **bad}
    middle, most = (round(tally.delay(share) * 1000, 1) for share in (0.5, 0.99))
    return (tally.count, tally.lost, _text(kinds), middle, most, tally.late)


def _of_sessions(sessions: Sessions) -> tuple[Cell, ...]:
    kinds = {kind: sessions.broken.count(kind) for kind in set(sessions.broken)}
    return (sessions.count, len(sessions.broken), _text(kinds), "-", "-", "-")


def _text(kinds: dict[str, int]) -> str:
    told = sorted((_KINDS.get(kind, kind), count) for kind, count in kinds.items())
    return ", ".join(f"{kind} {count}" for kind, count in told) or "-"


def main() -> int:
    """Exit code 1 when a request was lost, or when plain Compose lost none."""
    parser = argparse.ArgumentParser(prog="scripts/bench load", description=__doc__)
    parser.add_argument("--deploys", type=int, default=Size().deploys)
    parser.add_argument("--rate", type=float, default=Size().rate, help="short requests a second")
    parser.add_argument("--peer-deploys", type=int, default=Size().peer_deploys)
    parser.add_argument("--no-peers", action="store_true", help="our own run alone")
    parser.add_argument("--rollout", type=Path, metavar="FILE", help="docker-rollout's script")
    parser.add_argument("--short", action="store_true", help="3 deploys at 200/s, 2 of each peer")
    parser.add_argument("--json", action="store_true", help="write bench/results too")
    given = parser.parse_args()
    size = Size(
        deploys=3 if given.short else given.deploys,
        rate=200.0 if given.short else given.rate,
        peer_deploys=2 if given.short else given.peer_deploys,
        peers=not given.no_peers,
        rollout=given.rollout,
    )
    report = measure(size)
    report.print()
    if given.json:
        report.save()
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
