"""Is work done once while releases change? The table of `scripts/bench work`.

StatusWatch checks what users name; 10,000 checks are queued while 20 good releases and 10 broken
ones are deployed, and a target counts who came for which. A few deploys with plain
`docker compose up -d` stand beside it. Everything lies on a server of its own.
"""

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.scenario.server import Server

from bench.report import Report, observe_machine
from bench.work_queue import Queue
from bench.work_stack import (
    GOOD,
    Deployed,
    Inside,
    Stack,
    UnderBerth,
    UnderCompose,
    build_images,
    remove_images,
)
from bench.work_verdict import Seen, report_on
from bench.work_watch import watching

# In which ways a v3 is broken: the first of each line fails before its worker is started, the
# second one after it.
BROKEN = (
    *("error_500", "healthy_then_dies"),
    *("failing_migration", "worker_dies"),
    *("crash_loop", "beat_dies"),
    *("wrong_port", "dies_under_requests"),
    *("never_healthy", "worker_dies"),
)
TASKS, GOOD_DEPLOYS, RATE = 10_000, 20, 7.0
FIRST_SECONDS = 60.0  # of a deploy, as long as none is done
SETTLE_SECONDS = 400.0  # what a killed worker had in hand is given out again after 300 s


@dataclass(frozen=True, slots=True)
class Size:
    """How much of it; the figures need the defaults, a smoke run less."""

    tasks: int = TASKS
    good: int = GOOD_DEPLOYS
    broken: Sequence[str] = BROKEN
    rate: float = RATE  # tasks queued a second
    watch_seconds: int | None = None  # the product's default
    ready_seconds: int | None = None  # the example's own limit

    @property
    def story(self) -> list[str]:
        """Good releases in turn, v2 first, the broken ones spread among them."""
        tags = itertools.islice(itertools.cycle(("v2", "v1")), self.good)
        found: list[str] = []
        for number, tag in enumerate(tags, 1):
            found.append(tag)
            due = len(self.broken) * number // self.good
            found += self.broken[len(found) - number : due]
        return found or list(self.broken)


CONTROL = Size(1_000, 4, ("error_500", "worker_dies", "healthy_then_dies"))


async def measure(size: Size, control: Size | None, tell: Callable[[Report], None]) -> Report:
    """Both, one after the other; ours is told before the control, which may be interrupted."""
    server, machine = Server(), observe_machine()  # before it is busy
    tags = sorted({*GOOD, *size.broken, *(control.broken if control else ())})
    try:
        await server.set_up()
        await build_images(server, tags)
        ours = await run_berth(server, size)
        report = report_on(ours, None, machine)
        tell(report)
        if control:
            report = report_on(ours, await _run_compose(server, control), machine)
            tell(report)
    finally:
        await server.destroy()
        await remove_images(server, tags)
    return report


async def run_berth(server: Server, size: Size) -> Seen:
    """The story with `berth deploy`; the stack is destroyed in the end."""
    stack = UnderBerth(server, size.watch_seconds, size.ready_seconds)
    try:
        return await _play(stack, size)
    finally:
        await server.remove_app(stack.app.name)


async def _run_compose(server: Server, size: Size) -> Seen:
    stack = UnderCompose(server)
    try:
        return await _play(stack, size)
    finally:
        await stack.tear_down()


async def _play(stack: Stack, size: Size) -> Seen:
    """Deploy one after the other while tasks are queued; then wait until nothing is left to do."""
    inside, deployed = Inside(stack), list[Deployed]()
    async with watching(stack.project) as watch:
        await stack.set_up()
        queue = Queue(stack, await inside.token(), await inside.target())
        left = _clock(deployed, len(size.story))
        filling = asyncio.create_task(queue.fill(size.tasks, size.rate, left))
        for tag in size.story:
            deployed.append(await _deploy(stack, tag))
            if filling.done():
                filling.result()  # raises what went wrong
        await filling
        await _settle(inside)
    return Seen(deployed, watch, queue.queued, await inside.arrivals(), await inside.results())


def _clock(deployed: Sequence[Deployed], count: int) -> Callable[[], float]:
    """How long the rest of the deploys will take, judged by those that are done."""
    begin = time.time()

    def left() -> float:
        mean = (deployed[-1].ended - begin) / len(deployed) if deployed else FIRST_SECONDS
        return max(0.0, begin + mean * count - time.time())

    return left


async def _deploy(stack: Stack, tag: str) -> Deployed:
    deployed = await stack.deploy(tag)
    seconds = deployed.ended - deployed.began
    said = "" if deployed.is_as_wanted else f"\n{deployed.said[-2000:]}"
    print(
        f"{stack.project} {tag}: exit {deployed.code} {deployed.state} in {seconds:.0f} s{said}",
        file=sys.stderr,
        flush=True,
    )
    return deployed


async def _settle(inside: Inside) -> None:
    """Until queue and hands are empty, no longer than it takes to give out a task again."""
    end = time.monotonic() + SETTLE_SECONDS
    while await inside.waiting() and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(2)
    await asyncio.sleep(4)  # the answer and the result of what was taken last


def main() -> int:
    """1 when something was lost, done twice, or taken by a release that was turned back."""
    given = _arguments()
    ways = itertools.islice(itertools.cycle(BROKEN), given.unwound)
    size = Size(given.tasks, given.deploys, tuple(ways), given.rate)

    def tell(report: Report) -> None:
        report.print()
        if given.json:
            report.save()

    report = asyncio.run(measure(size, None if given.no_control else CONTROL, tell))
    return 0 if report.is_good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench work", description=__doc__)
    parser.add_argument("--tasks", type=int, default=TASKS, metavar="N")
    parser.add_argument("--deploys", type=int, default=GOOD_DEPLOYS, metavar="N", help="good ones")
    parser.add_argument("--unwound", type=int, default=len(BROKEN), metavar="N", help="broken ones")
    parser.add_argument("--rate", type=float, default=RATE, help="tasks queued a second")
    parser.add_argument("--no-control", action="store_true", help="without plain Compose")
    parser.add_argument("--json", action="store_true", help="write bench/results too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
