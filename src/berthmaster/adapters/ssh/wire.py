"""Frames over two pipes: one letter, a length, a body. Knows no command and starts nothing.

Blocking on purpose: a session is one conversation, and what must be watched side by side is watched
with `selectors` (`relay.py`).
"""

import json
import os
import select
import struct
from typing import Any, Final

from berthmaster.domain.errors import OutsideError

HEAD: Final = struct.Struct(">cI")
CHUNK: Final = 256 * 1024
LONGEST: Final = 64 << 20  # a manifest of many files

# from the client
REQUEST, BLOB, INPUT, SIGNAL, SIZE, IMAGES, LAYER = b"R", b"B", b"I", b"S", b"W", b"A", b"D"
# from the server
HELLO, NEEDED, WANTED, LACKING, BEGUN, OUT, ERR, ENDED, FAILED = (
    b"H", b"N", b"Q", b"G", b"Y", b"O", b"P", b"X", b"F",
)  # fmt: skip


class WireClosed(OutsideError):
    """The other side is gone."""

    def __init__(self) -> None:
        super().__init__("the connection ended", subject="ssh", retryable=True)


class Wire:
    """Reads and writes whole frames; `pending` bytes are read already."""

    def __init__(self, read_from: int, write_to: int) -> None:
        self.read_from = read_from
        self.write_to = write_to
        self._buffer = bytearray()

    def send(
        self, kind: bytes, body: bytes = b"", *, patience_seconds: float | None = None
    ) -> None:
        """Write one frame; raises `WireClosed`, also when nothing is taken for so long."""
        data = memoryview(HEAD.pack(kind, len(body)) + body)
        try:
            while data:
                if not select.select([], [self.write_to], [], patience_seconds)[1]:
                    raise WireClosed
                # NOTE: a pipe that is writable takes this much at once.
                data = data[os.write(self.write_to, data[: select.PIPE_BUF]) :]
        except (BrokenPipeError, ConnectionError) as error:
            raise WireClosed from error

    def send_json(self, kind: bytes, value: Any) -> None:
        self.send(kind, json.dumps(value).encode())

    def receive(self) -> tuple[bytes, bytes]:
        """Wait for one frame; raises `WireClosed` at the end of the stream."""
        while (frame := self.taken()) is None:
            if not self.fill():
                raise WireClosed
        return frame

    def expect(self, kind: bytes) -> bytes:
        """The body of a frame that must be of this kind; raises `WireClosed` for another."""
        found, body = self.receive()
        if found != kind:
            raise WireClosed
        return body

    def fill(self) -> bool:
        """Read once; False at the end."""
        try:
            data = os.read(self.read_from, CHUNK)
        except ConnectionError:
            return False
        self._buffer += data
        return bool(data)

    def taken(self) -> tuple[bytes, bytes] | None:
        """A frame that is here already, else None."""
        if len(self._buffer) < HEAD.size:
            return None
        kind, length = HEAD.unpack_from(self._buffer)
        if length > LONGEST:
            raise WireClosed
        end = HEAD.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[HEAD.size : end])
        del self._buffer[:end]
        return kind, body

    def rest(self) -> bytes:
        """What came and is no frame, for whoever must say what the other side is."""
        return bytes(self._buffer)


def mapping(body: bytes) -> dict[str, Any]:
    """The object in a frame; raises `WireClosed` for anything else."""
    found = _json(body)
    if not isinstance(found, dict):
        raise WireClosed
    return found


def strings(body: bytes) -> list[str]:
    """The list of texts in a frame; raises `WireClosed` for anything else."""
    found = _json(body)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise WireClosed
    return found


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireClosed from error
