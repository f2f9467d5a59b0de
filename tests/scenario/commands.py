"""Programs that the scenarios start: an argument vector, what it printed, how it ended."""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIMIT_SECONDS = 240.0  # for what never ends


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err

    def json(self) -> Any:
        return json.loads(self.out)


async def start(*words: str, env: Mapping[str, str] | None = None) -> asyncio.subprocess.Process:
    """Start a program with pipes for what it prints, in a group of its own."""
    return await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )


async def end(process: asyncio.subprocess.Process, *, seconds: float = LIMIT_SECONDS) -> Ended:
    """Wait for its end; kill it when that takes too long."""
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    return Ended(process.returncode or 0, out.decode(), err.decode())


def is_stopped(pid: int) -> bool:
    """Whether a process was frozen and waits for `SIGCONT`."""
    return "\nState:\tT" in Path(f"/proc/{pid}/status").read_text()


async def docker(*words: str, code: int | None = 0) -> str:
    """Ask the Docker command something; its output without the last line break."""
    ended = await end(await start("docker", *words))
    assert code is None or ended.code == code, f"docker {' '.join(words)}: {ended.said}"
    return ended.out.strip()


async def docker_lines(*words: str) -> list[str]:
    return (await docker(*words)).splitlines()


async def remove_containers(wanted: str) -> None:
    """Those that a filter finds, one by one: below 20.10.27 an engine can hang for good when two
    leave a network at the same instant (moby 46661), and `docker rm` removes all at once.
    """
    for found in await docker_lines("container", "ls", "--all", "--quiet", "--filter", wanted):
        await docker("container", "rm", "--force", "--volumes", found, code=None)


async def remove_project(project: str) -> None:
    """Of plain Compose, which would end all at once, with its networks and volumes."""
    wanted = f"label=com.docker.compose.project={project}"
    await remove_containers(wanted)
    for kind in ("network", "volume"):
        if found := await docker_lines(kind, "ls", "--quiet", "--filter", wanted):
            await docker(kind, "rm", *found, code=None)
