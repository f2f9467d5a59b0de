"""Uptime Kuma, for `scripts/bench statuswatch --kuma FOLDER`: one process with SQLite, as it comes.

It has one user and no tenants, and its pages are told everything over a web socket. What npm has
(2.0.0-dev.0) does not start: its code asks for files that the package lacks. So FOLDER is a clone
of louislam/uptime-kuma after `npm ci --omit=dev`, with a `dist/index.html` that nobody asks for.
"""

import asyncio
import json
import os
import signal
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from tests.scenario.commands import end, start

from bench.memory import observe_cpu_seconds, observe_mb
from bench.target import free_port

HERE = Path(__file__).parent
DAY_OF_BEATS = """
WITH RECURSIVE minutes(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM minutes WHERE n < 1440)
INSERT INTO heartbeat (important, monitor_id, status, msg, time, ping, duration)
SELECT 0, id, 1, '200 - OK', strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || n || ' minutes'),
    20 + abs(random() % 80), 60
FROM minutes, monitor"""


@dataclass(frozen=True, slots=True)
class Opened:
    """How long one opening of the dashboard took."""

    list_ms: float
    all_ms: float


class Kuma:
    """One server with data of its own."""

    def __init__(self, package: Path, data: Path) -> None:
        self.package, self.data, self.port = package, data, free_port()
        self.process: asyncio.subprocess.Process | None = None
        self.token = ""
        self.version = str(json.loads((package / "package.json").read_text())["version"])
        (data / "db-config.json").write_text('{"type": "sqlite"}')

    async def prepare(self, urls: list[str]) -> None:
        """Make the account, then the monitors and a day of their beats."""
        await self.begin()
        self.token = (await self._drive("setup")).strip()
        await self.stop()
        with sqlite3.connect(self.data / "kuma.db") as database:
            database.executemany(
                "INSERT INTO monitor (name, url, type, interval, retry_interval, user_id)"
                " VALUES (?, ?, 'http', 60, 60, 1)",
                [(url, url) for url in urls],
            )
            database.execute(DAY_OF_BEATS)
            database.execute("ANALYZE")
        database.close()

    async def begin(self) -> None:
        """Start the server; it starts its monitors by itself."""
        words = ("node", "--require", str(HERE / "preload.cjs"), "server/server.js")
        self.process = await asyncio.create_subprocess_exec(
            *words,
            f"--data-dir={self.data}/",
            f"--port={self.port}",
            "--host=127.0.0.1",
            cwd=self.package,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=(self.data / "log").open("ab"),
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "NODE_ENV": "production"},
        )

    async def open(self, monitors: int, every: float, seconds: float) -> list[Opened]:
        """Open the dashboard again and again, a new one when the last is complete."""
        out = await self._drive("open", self.token, str(monitors), str(every), str(seconds))
        return [Opened(told["list"], told["all"]) for told in map(json.loads, out.splitlines())]

    def memory_mb(self) -> float:
        """Resident now."""
        return observe_mb(self.process.pid) if self.process else 0.0

    def cpu_seconds(self) -> float:
        """Of the processor so far."""
        return observe_cpu_seconds(self.process.pid) if self.process else 0.0

    async def stop(self) -> None:
        """End it, gracefully for ten seconds."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), 10)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    async def _drive(self, *words: str) -> str:
        what, *rest = words
        command = ("node", str(HERE / "drive.cjs"), what, str(self.port), *rest)
        drive = await start(*command, env={"KUMA_PACKAGE": str(self.package)})
        ended = await end(drive, seconds=600)
        if ended.code:
            raise RuntimeError(ended.said[-2000:])
        return ended.out
