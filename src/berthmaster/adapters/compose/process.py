"""Starts one program and sees it to its end: no shell, no input, its own process group.

The environment is what is handed in and four variables of ours, never the rest of the caller's: a
`COMPOSE_FILE` or a `DATABASE_URL` in somebody's shell must not change what a deployment means.
"""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from berthmaster.adapters.compose import errors
from berthmaster.domain.sealed import Mask

GRACE_SECONDS: Final = 10.0  # between SIGTERM and SIGKILL; Compose needs about one to stop cleanly
_KEPT: Final = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG")
_CHUNK: Final = 64 * 1024
_GROUP_LOOKS: Final = 100  # a dead process that its parent never asks for stays in the group


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended; `code` is negative after a signal."""

    code: int
    output: bytes
    errors: str


@dataclass(frozen=True, slots=True)
class Task:
    """What to run and what becomes of its output."""

    arguments: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path("/")
    log: Path | None = None  # both streams, masked, appended; mode 0600
    mask: Mask = field(default_factory=lambda: Mask(()))


def scrubbed(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment a program gets."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**variables, **kept}


async def run(task: Task) -> Ended:
    """Run to the end; when cancelled, the whole process group is ended before this returns."""
    try:
        process = await asyncio.create_subprocess_exec(
            *task.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=scrubbed(task.variables),
            cwd=task.folder,
            start_new_session=True,
        )
    except OSError as exc:
        raise errors.not_started(exc) from exc
    try:
        return await _collect(process, task)
    except BaseException:
        await asyncio.shield(_end_group(process))
        raise


async def run_attached(
    arguments: Sequence[str], variables: Mapping[str, str], *, stdout: int | None = None
) -> int:
    """Run with our own standard streams (`stdout` may go elsewhere); returns the exit code.

    It stays in our process group, so that Ctrl-C at the terminal reaches it.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *arguments, stdout=stdout, env=scrubbed(variables)
        )
    except OSError as exc:
        raise errors.not_started(exc) from exc
    try:
        return await process.wait()
    except BaseException:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.shield(process.wait())
        raise


async def _collect(process: asyncio.subprocess.Process, task: Task) -> Ended:
    log = _open_log(task.log) if task.log else None
    try:
        output, complaints, _ = await asyncio.gather(
            _read(process.stdout, log, task.mask),
            _read(process.stderr, log, task.mask),
            process.wait(),
        )
    finally:
        if log:
            log.close()
    assert process.returncode is not None  # noqa: S101 - it ended just above
    return Ended(process.returncode, output, task.mask.apply(complaints.decode(errors="replace")))


async def _read(stream: asyncio.StreamReader | None, log: BinaryIO | None, mask: Mask) -> bytes:
    """Whole lines go to the log, so that a value cut in two cannot slip past the mask."""
    kept, line = bytearray(), bytearray()
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        kept += chunk
        if log:
            *whole, rest = (bytes(line) + chunk).split(b"\n")
            line = bytearray(rest)
            _write(log, whole, mask)
    if log and line:
        _write(log, [bytes(line)], mask)
    return bytes(kept)


def _write(log: BinaryIO, lines: Sequence[bytes], mask: Mask) -> None:
    text = "".join(f"{line.decode(errors='replace')}\n" for line in lines)
    # A full disk costs the log, not the containers that were about to start.
    with suppress(OSError):
        log.write(mask.apply(text).encode())


def _open_log(path: Path) -> BinaryIO | None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:
        return None
    return os.fdopen(descriptor, "ab", buffering=0)


async def _end_group(process: asyncio.subprocess.Process) -> None:
    """The plugin is a child of `docker`: only the group is sure to hold both."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE_SECONDS)
            break
    with suppress(ProcessLookupError):
        for _ in range(_GROUP_LOOKS):
            os.killpg(process.pid, signal.SIGKILL)  # what the first process left behind
            await asyncio.sleep(0.01)
