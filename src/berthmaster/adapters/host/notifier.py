"""Gives an alert to a program: one line on its standard input, and ten seconds to take it."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Final

LIMIT_SECONDS: Final = 10.0


class ProgramNotifier:
    """`ports.notifier.Notifier`; never a shell, and what the program prints is nobody's."""

    def __init__(self, program: Path, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._program = program
        self._limit_seconds = limit_seconds

    async def tell(self, text: str) -> str | None:
        line, nobody = " ".join(text.split()), asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                str(self._program),
                stdin=asyncio.subprocess.PIPE,
                stdout=nobody,
                stderr=nobody,
                start_new_session=True,
            )
        except OSError as error:
            return f"{self._program}: {error.strerror}"
        try:
            async with asyncio.timeout(self._limit_seconds):
                await process.communicate(f"{line}\n".encode(errors="replace"))
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            return f"{self._program}: no end in {self._limit_seconds:g} s"
        return f"{self._program}: exit {process.returncode}" if process.returncode else None
