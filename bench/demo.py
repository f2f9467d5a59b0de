"""The demo's story: deploy, update, refuse, roll back, each under load, then a table and a verdict.

Called by `scripts/demo`. Every `berth` command is the real one, in a process of its own; the load
goes through the edge over HTTPS and retries nothing.
"""

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.load import Load, Tally, run, running

RATE = 200  # requests a second
CLIENTS = 20
STACK = "prod"


@dataclass(frozen=True, slots=True)
class Scene:
    """One command, what its exit code and the answering version must be."""

    title: str
    arguments: tuple[str, ...]
    version: str
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What happened in a scene."""

    scene: Scene
    seconds: float
    exit_code: int
    tally: Tally
    version: str

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost and the right version answers after the right exit code."""
        return (
            self.tally.lost == 0
            and self.exit_code == self.scene.exit_code
            and self.version == self.scene.version
        )


SCENES = (
    Scene("deploy v2", ("deploy", STACK, "--tag", "v2"), "v2"),
    Scene("deploy v3 (broken)", ("deploy", STACK, "--tag", "v3"), "v2", exit_code=1),
    Scene("roll back to v1", ("rollback", STACK), "v1"),
)


async def main() -> int:
    """Tell the story; exit code 1 when one scene did not go as it must."""
    given = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 100)
    await _berth(given.app, "deploy", STACK, "--tag", "v1", must_succeed=True)
    await _berth(
        given.app, "run", STACK, "web", "--", "python", "manage.py", "seed_demo", must_succeed=True
    )
    _fetch_ca(given)
    load = Load(
        "127.0.0.1",
        given.port,
        f"acme.{given.host}",
        path="/",
        clients=CLIENTS,
        seconds=600,
        rate=RATE,
        is_tls=True,
        ca_file=given.ca,
        version_header="x-app-version",
    )
    results = []
    for scene in SCENES:
        console.rule(f"[bold]{scene.title}[/] under {RATE} requests a second", align="left")
        results.append(await _play(scene, load, given))
    console.print(_table(results))
    return 0 if all(result.is_good for result in results) else 1


async def _play(scene: Scene, load: Load, given: argparse.Namespace) -> Result:
    async with running(load) as tally:
        await asyncio.sleep(1)  # the load is there before, and stays a while after
        began = time.monotonic()
        code = await _berth(given.app, *scene.arguments)
        seconds = time.monotonic() - began
        await asyncio.sleep(1)
        version = await _version(load)
    return Result(scene, seconds, code, tally, version)


async def _berth(app: Path, *arguments: str, must_succeed: bool = False) -> int:
    process = await asyncio.create_subprocess_exec("berth", "-C", str(app), *arguments)
    code = await process.wait()
    if must_succeed and code != 0:
        sys.exit(f"berth {' '.join(arguments)} ended with exit code {code}")
    return code


async def _version(load: Load) -> str:
    """Which version answers now, asked on a connection of its own."""
    question = replace(load, path="/version", requests=1, clients=1, rate=None, seconds=10)
    return next(iter((await run(question)).versions), "none")


def _fetch_ca(given: argparse.Namespace) -> None:
    """Copy the edge's local root certificate to where people find it."""
    data = given.ca.parent / "gateway"
    found = sorted(data.rglob("pki/authorities/local/root.crt"))
    if not found:
        sys.exit(f"the edge has made no root certificate under {data}")
    given.ca.write_bytes(found[0].read_bytes())


def _table(results: list[Result]) -> Table:
    table = Table(title="What the clients saw", title_justify="left")
    for heading in ("step", "requests", "lost", "seconds", "p99 ms", "exit", "answers"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    table.add_column("good")
    for result in results:
        table.add_row(
            result.scene.title,
            str(result.tally.count),
            str(result.tally.lost),
            f"{result.seconds:.1f}",
            f"{result.tally.delay(0.99) * 1000:.0f}",
            str(result.exit_code),
            result.version,
            "yes" if result.is_good else "[bold red]no[/]",
        )
    return table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--app", type=Path, required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
