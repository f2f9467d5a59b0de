"""1,000 endpoints each minute and the dashboard's API meanwhile: `scripts/bench statuswatch`.

StatusWatch in production's form: ten organizations of 100 endpoints, each with a day of results,
all checked every minute against a server of this process, while ten requests a second ask what a
dashboard asks and a dashboard is opened every five seconds. Then one organization of 1,000, and
Uptime Kuma, which knows one user, with the same 1,000: these two compare. Takes away what it made;
every load ends by time.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import kuma
from bench.report import Budget, Report
from bench.statuswatch_stack import Statuswatch, Usage
from bench.target import Target

ASKED_A_SECOND, OPENED_EVERY_SECONDS = 10, 5.0
P95_BUDGET_MS = 300
LONGEST_PAUSE_SECONDS = 75.0  # each minute, and a quarter of one for the queue
WARM_SECONDS = 75.0  # the first minute's checks, which nobody had planned
COLUMNS = (
    "candidate",
    "organizations",
    "checks a minute",
    "longest pause_s",
    "memory_mb",
    "cores",
    "p95_ms",
    "list_ms",
    "open_ms",
)


@dataclass
class Asked:
    """Answers of the dashboard's API."""

    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    wrong: Counter[str] = field(default_factory=Counter)

    def add(self, what: str, status: int, milliseconds: float) -> None:
        self.milliseconds.setdefault(what, []).append(milliseconds)
        if status != 200:
            self.wrong[f"{what} {status}"] += 1

    def p95(self, what: str | None = None) -> float:
        """The 95th percentile of one call, or of all."""
        found = [
            ms
            for name, all_ms in self.milliseconds.items()
            if what in {None, name}
            for ms in all_ms
        ]
        return statistics.quantiles(found, n=20)[-1] if len(found) > 1 else 0.0

    @property
    def count(self) -> int:
        return sum(len(found) for found in self.milliseconds.values())


async def ask(port: int, told: Sequence[Sequence[str]], asked: Asked, seconds: float) -> None:
    """Ask what a dashboard asks, ten times a second, whether or not the last answer has come."""
    begin, tasks = time.monotonic(), []
    for number in range(int(seconds * ASKED_A_SECOND)):
        await asyncio.sleep(max(0.0, begin + number / ASKED_A_SECOND - time.monotonic()))
        host, key, endpoint = told[number % len(told)]
        paths = {
            "endpoints": "/api/endpoints/",
            "history": f"/api/endpoints/{endpoint}/history/?period=24h",
            "incidents": "/api/incidents/?open=true",
            "status": "/api/status/",
            "me": "/api/auth/me/",
            "plan": "/api/billing/",
        }
        what = list(paths)[(number // len(told)) % len(paths)]
        tasks.append(asyncio.create_task(_ask_one(port, host, key, what, paths[what], asked)))
    await asyncio.gather(*tasks)


async def _ask_one(port: int, host: str, key: str, what: str, path: str, asked: Asked) -> None:
    begin = time.perf_counter()
    status, _ = await _get(port, host, key, path)
    asked.add(what, status, 1000 * (time.perf_counter() - begin))


async def _get(port: int, host: str, key: str, path: str) -> tuple[int, bytes]:
    """Status and body; status 0 without an answer in 30 s."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = (f"GET {path} HTTP/1.1", f"Host: {host}", f"Authorization: Token {key}")
        writer.write("\r\n".join((*lines, "Connection: close", "", "")).encode())
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]
    except (OSError, TimeoutError, IndexError):
        return 0, b""


async def open_dashboards(port: int, host: str, key: str, seconds: float) -> list[kuma.Opened]:
    """Open the dashboard as its page does, every five seconds, the next when one is complete."""
    begin, found = time.monotonic(), []
    while (passed := time.monotonic() - begin) < seconds:
        found.append(await _open_once(port, host, key))
        rest = (
            (passed // OPENED_EVERY_SECONDS + 1) * OPENED_EVERY_SECONDS + begin - time.monotonic()
        )
        await asyncio.sleep(max(0.0, rest))
    return found


async def _open_once(port: int, host: str, key: str) -> kuma.Opened:
    begin = time.perf_counter()
    others = ("auth/me/", "billing/", "status/", "incidents/?open=true", "maintenance-windows/")
    tasks = [asyncio.create_task(_get(port, host, key, f"/api/{path}")) for path in others]
    page, is_last = 1, False
    while not is_last:
        _, body = await _get(port, host, key, f"/api/endpoints/?page_size=200&page={page}")
        page, is_last = page + 1, b'"next":null' in body or not body
    listed = time.perf_counter()
    await asyncio.gather(*tasks)
    return kuma.Opened(1000 * (listed - begin), 1000 * (time.perf_counter() - begin))


async def measure_statuswatch(
    report: Report, organizations: int, count: int, seconds: float
) -> None:
    """One row, its budgets and a note for each call."""
    target, asked = Target(), Asked()
    with tempfile.TemporaryDirectory(prefix="bench-sw-") as folder:
        stack = Statuswatch(Path(folder))
        try:
            gateway = await stack.prepare()
            stack.environment["SSRF_ALLOWED_TARGETS"] = f"{gateway}/32"
            async with target.serving(gateway) as url:
                told = await stack.seed(url, organizations, count // organizations)
                await stack.compose("up", "-d", "--wait", "web", "worker", "beat")
                await asyncio.sleep(WARM_SECONDS)
                before, begin = await stack.usage(), time.monotonic()
                checks, opened, _ = await asyncio.gather(
                    target.count(seconds),
                    open_dashboards(stack.port, told[0][0], told[0][1], seconds),
                    ask(stack.port, told, asked, seconds),
                )
                passed, after = time.monotonic() - begin, await stack.usage()
        finally:
            await stack.remove()
    used = Usage(after.memory_mb, after.cpu_seconds - before.cpu_seconds)
    name = f"StatusWatch, {organizations}"
    measured = Measured(name, organizations, target, checks, passed, used, opened)
    measured.add_to(report, round(asked.p95()))
    report.budgets += [
        Budget(f"{name}: dashboard's API, 95th percentile", asked.p95(), P95_BUDGET_MS, " ms"),
        Budget(f"{name}: checks a minute", checks, 0.98 * count, is_floor=True),
        Budget(f"{name}: endpoints that were not checked", count - len(target.seen), 0),
        Budget(
            f"{name}: longest pause between two checks of one",
            target.longest_pause_seconds,
            LONGEST_PAUSE_SECONDS,
            " s",
        ),
        Budget(f"{name}: wrong answers", sum(asked.wrong.values()), 0),
    ]
    each = ", ".join(f"{what} {asked.p95(what):.0f}" for what in asked.milliseconds)
    report.notes.append(f"{name}: {asked.count} requests, 95th percentile in ms: {each}")
    if asked.wrong:
        report.notes.append(f"{name}: wrong: {dict(asked.wrong)}")


async def measure_kuma(report: Report, package: Path, count: int, seconds: float) -> None:
    """One row."""
    target = Target()
    with tempfile.TemporaryDirectory(prefix="bench-kuma-") as folder:
        peer = kuma.Kuma(package, Path(folder))
        try:
            async with target.serving("127.0.0.1") as url:
                await peer.prepare([f"{url}/0/{number}" for number in range(count)])
                await peer.begin()
                await asyncio.sleep(WARM_SECONDS + count / 50)
                before, begin = peer.cpu_seconds(), time.monotonic()
                checks, opened = await asyncio.gather(
                    target.count(seconds), peer.open(count, OPENED_EVERY_SECONDS, seconds)
                )
                passed = time.monotonic() - begin
                used = Usage(peer.memory_mb(), peer.cpu_seconds() - before)
        finally:
            await peer.stop()
    name = f"Uptime Kuma {peer.version}"
    Measured(name, 1, target, checks, passed, used, opened).add_to(report, "-")


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen of a candidate while it was measured."""

    name: str
    organizations: int
    target: Target
    checks_a_minute: float
    passed_seconds: float
    used: Usage  # the processor's seconds within that time
    opened: Sequence[kuma.Opened]

    def add_to(self, report: Report, p95: str | int) -> None:
        """One row and a note."""
        report.rows.append(
            (
                self.name,
                self.organizations,
                round(self.checks_a_minute),
                round(self.target.longest_pause_seconds),
                round(self.used.memory_mb),
                round(self.used.cpu_seconds / self.passed_seconds, 2),
                p95,
                round(statistics.median(one.list_ms for one in self.opened)),
                round(statistics.median(one.all_ms for one in self.opened)),
            )
        )
        slowest = round(max(one.all_ms for one in self.opened))
        seen, count = len(self.target.seen), len(self.opened)
        report.notes.append(
            f"{self.name}: {seen} endpoints seen, {count} dashboards, slowest {slowest} ms"
        )


async def measure(count: int, seconds: float, wanted: str, package: Path | None) -> Report:
    """About five minutes a row."""
    report = Report("statuswatch", f"{count} endpoints each minute", COLUMNS)
    for organizations in (10, 1):
        if wanted in {"all", str(organizations)}:
            await measure_statuswatch(report, organizations, count, seconds)
    if package is not None and wanted in {"all", "kuma"}:
        await measure_kuma(report, package, count, seconds)
    return report


def main() -> int:
    """Exit code 1 when a budget is missed."""
    parser = argparse.ArgumentParser(prog="scripts/bench statuswatch", description=__doc__)
    parser.add_argument("--endpoints", type=int, default=1000)
    parser.add_argument(
        "--seconds", type=float, default=120.0, help="measured; the warm-up comes before"
    )
    parser.add_argument("--only", choices=("10", "1", "kuma"), default="all", help="one row")
    parser.add_argument(
        "--kuma", type=Path, metavar="FOLDER", help="where Uptime Kuma is (see bench/kuma)"
    )
    parser.add_argument(
        "--json", action="store_true", help="write bench/results/statuswatch.json too"
    )
    given = parser.parse_args()
    seconds = min(given.seconds, 600.0)
    report = asyncio.run(measure(given.endpoints, seconds, given.only, given.kuma))
    report.print()
    if given.json:
        report.save()
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
