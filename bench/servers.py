"""What `berth -S` costs beside the same command typed on the server: `status` over a real sshd.

One server in a network namespace of its own, with an engine and nothing on it. `first` makes the
connection, `next` finds the shared one.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.scenario.commands import Ended
from tests.scenario.sshd import Far, Laptop

from bench.report import Budget, Report


async def measure(*, rounds: int = 9) -> Report:
    """About a minute."""
    report = Report("servers", "Over ssh", ("what", "rounds", "median_s", "least_s", "most_s"))
    server = Far("web1", 15)
    try:
        await asyncio.to_thread(server.start)
        with tempfile.TemporaryDirectory(prefix="bl-") as folder:
            laptop = Laptop(Path(folder) / "l").knows(server)
            try:
                await _compare(report, server, laptop, rounds)
            finally:
                await laptop.leave()
    finally:
        server.destroy()
    return report


async def _compare(report: Report, server: Far, laptop: Laptop, rounds: int) -> None:
    over = ("-S", "web1", "status", "--json")

    async def here() -> Ended:
        return await server.berth("status", "--json")

    async def there() -> Ended:
        return await laptop.berth(*over)

    async def first() -> Ended:
        await laptop.hang_up()
        return await laptop.berth(*over)

    await asyncio.gather(here(), there())  # compiled and cached from here on
    local = await _add(report, "status on the server", here, rounds)
    warm = await _add(report, "status over -S, next", there, rounds)
    cold = await _add(report, "status over -S, first", first, rounds)
    report.budgets = [
        Budget("-S beside local, connection shared", warm - local, 0.7, " s"),
        Budget("-S beside local, connection made", cold - local, 0.7, " s"),
    ]


async def _add(
    report: Report, what: str, run: Callable[[], Awaitable[Ended]], rounds: int
) -> float:
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        done = await run()
        seconds.append(time.perf_counter() - begin)
        if done.code:
            raise RuntimeError(done.said)
    values = (statistics.median(seconds), min(seconds), max(seconds))
    report.rows.append((what, rounds, *(round(value, 3) for value in values)))
    return statistics.median(seconds)
