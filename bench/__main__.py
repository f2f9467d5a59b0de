"""`python -m bench NAME...`: run benches, print their tables, keep them with `--json`."""

import argparse
import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable

from bench.report import Report

NAMES = ("adopt", "cli", "deploy", "domains", "router", "servers", "switch")


def main() -> int:
    """Exit code 1 when a budget is missed."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="+", choices=NAMES, metavar="NAME")
    parser.add_argument("--json", action="store_true", help="write bench/results/NAME.json too")
    given = parser.parse_args()
    is_good = True
    for name in given.names:
        measure: Callable[[], Awaitable[Report]] = importlib.import_module(f"bench.{name}").measure
        report = asyncio.run(_measured(measure))
        report.print()
        if given.json:
            report.save()
        is_good = is_good and report.is_good
    return 0 if is_good else 1


async def _measured(measure: Callable[[], Awaitable[Report]]) -> Report:
    return await measure()


if __name__ == "__main__":
    sys.exit(main())
