"""Starts restic: no shell, a scrubbed environment, its own process group, the code in no argument.

The calls that are piped into one another or fed with a stream are here too.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from berthmaster.adapters.restic import errors

_KEPT: Final = ("PATH", "HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE")
_PASSED: Final = ("AWS_", "RCLONE_")  # what the storage wants to know
_CHUNK: Final = 1 << 18
GRACE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How restic ended."""

    code: int
    output: bytes
    errors: str


@dataclass(frozen=True, slots=True)
class Restic:
    """The program with its repository and its code."""

    repository: str
    code: str
    cache: Path
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] | None = None  # of the storage
    program: str = "restic"

    async def run(
        self, *words: str, chunks: AsyncIterator[bytes] | None = None, folder: Path | None = None
    ) -> Ended:
        """Run to the end, with `chunks` as its input."""
        async with self._started(words, has_input=chunks is not None, folder=folder) as process:
            output, complaints, _ = await asyncio.gather(
                _read(process.stdout), _read(process.stderr), _feed(process, chunks)
            )
            code = await process.wait()
        return Ended(code, output, complaints.decode(errors="replace"))

    async def stream(self, *words: str) -> AsyncIterator[bytes]:
        """What it writes, while it writes; raises `OutsideError` at the end when it failed."""
        async with self._started(words, has_input=False) as process:
            complaints = asyncio.ensure_future(_read(process.stderr))
            while process.stdout is not None and (chunk := await process.stdout.read(_CHUNK)):
                yield chunk
            said = (await complaints).decode(errors="replace")
            if await process.wait() != 0:
                raise errors.failed("reading", self.repository, said)

    @asynccontextmanager
    async def _started(
        self, words: Sequence[str], *, has_input: bool, folder: Path | None = None
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        try:
            process = await asyncio.create_subprocess_exec(
                self.program,
                *self.options,
                *words,
                stdin=asyncio.subprocess.PIPE if has_input else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment(),
                cwd=folder or Path("/"),
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise errors.not_installed() from error
        except OSError as error:
            raise errors.not_started(self.program, error) from error
        try:
            yield process
        finally:
            if process.returncode is None:
                await asyncio.shield(_end(process))

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in _KEPT or name.startswith(_PASSED)
        }
        return {
            **kept,
            **(self.variables or {}),
            "RESTIC_REPOSITORY": self.repository,
            "RESTIC_PASSWORD": self.code,
            "RESTIC_CACHE_DIR": str(self.cache),
            "RESTIC_PROGRESS_FPS": "0.0001",
        }


async def _feed(process: asyncio.subprocess.Process, chunks: AsyncIterator[bytes] | None) -> None:
    if chunks is None or process.stdin is None:
        return
    try:
        async for chunk in chunks:
            process.stdin.write(chunk)
            await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return  # it ended; its words say why
    except BaseException:
        with suppress(ProcessLookupError):
            process.kill()  # half a file must not look like a whole one
        raise
    process.stdin.close()


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    return await stream.read() if stream is not None else b""


async def _end(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE_SECONDS)
            return
