"""Runs one command inside a container over the engine's exec call: binary safe, streamed, bounded.

Standard output and standard error stay apart. Nothing is kept in memory beyond the last part of
each, so that a dump of any size passes through to its file.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from berthmaster.domain.container import ExecResult
from berthmaster.domain.errors import OutsideError

if TYPE_CHECKING:
    from aiodocker.containers import DockerContainer
    from aiodocker.stream import Stream

KEPT_BYTES: Final = 1024 * 1024  # of each stream, for the result: the end says what went wrong
_CHUNK: Final = 64 * 1024
_STDERR: Final = 2  # the engine's number for it in the multiplexed stream


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, and the files at its two ends."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    source: Path | None = None  # becomes standard input
    into: Path | None = None  # takes standard output; mode 0600


async def run(container: "DockerContainer", command: Command) -> ExecResult:
    """Run the command to its end; its exit code is part of the result, whatever it is."""
    process = await container.exec(
        list(command.arguments),
        stdin=command.source is not None,
        environment=dict(command.environment) or None,
    )
    output, errors = _Tail(), _Tail()
    sink = _open_private(command.into) if command.into else None
    try:
        async with process.start() as stream:
            feeder = asyncio.create_task(_feed(stream, command.source))
            reader = asyncio.create_task(_read(stream, sink or output, errors))
            try:
                await asyncio.wait((feeder, reader), return_when=asyncio.FIRST_EXCEPTION)
                if not reader.done():
                    await feeder  # it cannot go on, and the command would wait for the rest
                await reader
            finally:
                await _end(reader)
                await _end(feeder)
    finally:
        if sink:
            sink.close()
    code = (await process.inspect())["ExitCode"]
    return ExecResult(-1 if code is None else int(code), output.text(), errors.text())


class _Tail:
    """The last bytes of a stream."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def write(self, data: bytes) -> None:
        self._kept += data
        if len(self._kept) > 2 * KEPT_BYTES:
            del self._kept[:-KEPT_BYTES]

    def text(self) -> str:
        return bytes(self._kept[-KEPT_BYTES:]).decode(errors="replace")


async def _read(stream: "Stream", output: BinaryIO | _Tail, errors: _Tail) -> None:
    while (message := await stream.read_out()) is not None:
        (errors if message.stream == _STDERR else output).write(message.data)


async def _feed(stream: "Stream", source: Path | None) -> None:
    """All of the file; a command may end before it read all its input, that is its right."""
    if source is None:
        return
    try:
        with _open_source(source) as file:
            while chunk := file.read(_CHUNK):
                await stream.write_in(chunk)
    except ConnectionError:
        return
    except OSError as error:
        raise OutsideError(
            f"{source} cannot be read: {error.strerror}", subject=str(source)
        ) from error
    # NOTE: aiodocker closes only both directions; a command must see its input end and answer.
    connection = stream._resp.connection if stream._resp else None
    if connection is not None and connection.transport is not None:
        connection.transport.write_eof()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, ConnectionError):
        await task


def _open_private(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "wb")


def _open_source(path: Path) -> BinaryIO:
    return path.open("rb")
