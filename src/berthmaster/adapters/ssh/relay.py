"""A running command's streams, between its process and the wire, until it ends.

Who asked may vanish at any time: from then on the output goes nowhere and the command goes on. A
reader that takes nothing for a while counts as gone, so that a laptop that sleeps stops no deploy.
"""

import contextlib
import fcntl
import os
import select
import selectors
import signal
import struct
import sys
import termios
import tty
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from berthmaster.adapters.ssh import wire as frames
from berthmaster.adapters.ssh.wire import Wire
from berthmaster.domain.elsewhere import Streams

PATIENCE_SECONDS: Final = 10.0
MOST_HELD: Final = 4 << 20  # bytes of input that a command has not read yet
SIGNALS: Final = {"INT": signal.SIGINT, "TERM": signal.SIGTERM}
_CHUNK: Final = 64 * 1024
_LOOK_SECONDS: Final = 1.0  # so often it is looked whether who asked is still there


@dataclass
class Ends:
    """Both ends of a command's streams."""

    child: tuple[int, int, int]
    outputs: dict[int, bytes]  # what we read -> kind of its frames
    given: int | None = None  # where its input is written
    terminals: list[int] = field(default_factory=list)

    def close_child(self) -> None:
        for one in set(self.child):
            os.close(one)


def open_ends(streams: Streams) -> Ends:
    """Terminals where the caller has them, pipes elsewhere; both outputs share one terminal."""
    outputs: dict[int, bytes] = {}
    terminals: list[int] = []

    def terminal() -> tuple[int, int]:
        ours, theirs = os.openpty()
        _plain(theirs)
        terminals.append(ours)
        return ours, theirs

    shared = terminal() if streams.stdout and streams.stderr else None
    found = []
    for is_terminal, kind in ((streams.stdout, frames.OUT), (streams.stderr, frames.ERR)):
        ours, theirs = shared or (terminal() if is_terminal else os.pipe())
        outputs.setdefault(ours, kind)
        found.append(theirs)
    given: int | None = None
    if streams.is_input and streams.stdin and shared:
        given, stdin = os.dup(shared[0]), os.dup(shared[1])
    elif streams.is_input:
        stdin, given = os.pipe()
    else:
        stdin = os.dup(shared[1]) if streams.stdin and shared else os.open(os.devnull, os.O_RDONLY)
    ends = Ends((stdin, found[0], found[1]), outputs, given, terminals)
    resize(ends, streams.columns, streams.rows)
    return ends


def wear(ends: Ends) -> None:
    """In the child: make these the standard streams, and its terminal the controlling one."""
    for number, one in enumerate(ends.child):
        os.dup2(one, number)
    os.closerange(3, 1024)
    if os.isatty(0):
        with contextlib.suppress(OSError):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - standard streams stay open
    for name, number in (("stdout", 1), ("stderr", 2)):
        line_by_line = number == 2 or os.isatty(number)
        stream = open(number, "w", buffering=1 if line_by_line else -1, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def resize(ends: Ends, columns: int, rows: int) -> None:
    """Tell the command how large the terminal is; the kernel sends SIGWINCH."""
    for one in ends.terminals:
        fcntl.ioctl(one, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _plain(terminal: int) -> None:
    """What is written arrives as it was written: no echo, no `\\r` before `\\n`."""
    found = termios.tcgetattr(terminal)
    found[tty.OFLAG] &= ~termios.OPOST
    found[tty.LFLAG] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, found)


class Relay:
    """Between one process and one wire."""

    def __init__(self, wire: Wire, ends: Ends, pid: int, *, goes_on: bool) -> None:
        self._wire = wire
        self._ends = ends
        self._pid = pid
        self._goes_on = goes_on
        self._is_lost = False
        self._is_over = False
        self._unwritten: list[bytes] = []
        self._held = 0  # bytes of them
        self._is_waiting = False  # until the command has read some of its input
        self._looking = selectors.DefaultSelector()

    def run(self) -> int:
        """See the command to its end; its exit code, 128 and the number after a signal."""
        ended = os.pidfd_open(self._pid)
        with self._looking as looking:
            looking.register(self._wire.read_from, selectors.EVENT_READ, self._take_frames)
            looking.register(ended, selectors.EVENT_READ, self._note_end)
            for source in self._ends.outputs:
                looking.register(source, selectors.EVENT_READ, partial(self._pass, source))
            while not self._is_over:
                for key, _ in looking.select(_LOOK_SECONDS if self._is_waiting else None):
                    if not key.data():
                        looking.unregister(key.fd)
                if self._is_waiting and _has_hung_up(self._wire.read_from):
                    self._is_waiting = False
                    self._lose()
        os.close(ended)
        _, status = os.waitpid(self._pid, 0)
        self._drain()
        code = os.waitstatus_to_exitcode(status)
        code = code if code >= 0 else 128 - code
        self._send(frames.ENDED, str(code).encode())
        return code

    def _take_frames(self) -> bool:
        if not self._wire.fill():
            self._lose()
            return False
        while (frame := self._wire.taken()) is not None:
            self._obey(*frame)
        self._is_waiting = self._held > MOST_HELD
        return not self._is_waiting

    def _obey(self, kind: bytes, body: bytes) -> None:
        if kind == frames.SIGNAL and (number := SIGNALS.get(body.decode(errors="replace"))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)
        elif kind == frames.SIZE and len(body) == 4:
            resize(self._ends, *struct.unpack(">HH", body))
        elif kind == frames.INPUT and self._ends.given is not None:
            self._give(body)

    def _give(self, body: bytes) -> None:
        """Hand input on without waiting: the command may first want its output taken."""
        given = self._ends.given
        if given is None:
            return
        if not self._unwritten:
            self._looking.register(given, selectors.EVENT_WRITE, self._write_input)
        self._unwritten.append(body)
        self._held += len(body)

    def _write_input(self) -> bool:
        given = self._ends.given
        if given is None:
            return False
        body = self._unwritten[0]
        try:
            count = os.write(given, body[: select.PIPE_BUF]) if body else 0
        except BlockingIOError:
            return True
        except OSError:  # it reads no more
            self._unwritten.clear()
            self._held = 0
            self._close_input(given)
            return True  # it is no longer looked at already
        self._unwritten[0] = body[count:]
        self._held -= count
        self._read_on()
        if self._unwritten[0]:
            return True
        self._unwritten.pop(0)
        if not body:  # the end of the input
            self._close_input(given)
            return True
        return bool(self._unwritten)

    def _close_input(self, given: int) -> None:
        self._looking.unregister(given)
        os.close(given)
        self._ends.given = None
        self._read_on()

    def _read_on(self) -> None:
        """Take frames again, once the command has read enough of what it was sent."""
        if self._is_waiting and self._held <= MOST_HELD // 2:
            self._is_waiting = False
            self._looking.register(self._wire.read_from, selectors.EVENT_READ, self._take_frames)

    def _pass(self, source: int) -> bool:
        try:
            data = os.read(source, _CHUNK)
        except OSError:  # a terminal that nobody has open any more
            return False
        if data:
            self._send(self._ends.outputs[source], data)
        return bool(data)

    def _drain(self) -> None:
        """What the command wrote before it ended; children that outlive it keep nothing open."""
        for source in self._ends.outputs:
            while select.select([source], [], [], 0)[0] and self._pass(source):
                pass

    def _note_end(self) -> bool:
        self._is_over = True
        return False

    def _send(self, kind: bytes, body: bytes) -> None:
        if self._is_lost:
            return
        try:
            self._wire.send(kind, body, patience_seconds=PATIENCE_SECONDS)
        except frames.WireClosed:
            self._lose()

    def _lose(self) -> None:
        self._is_lost = True
        if not self._goes_on:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGHUP)


def _has_hung_up(source: int) -> bool:
    """Whether nobody can write to it any more, without reading what is still in it."""
    looking = select.poll()
    looking.register(source, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in looking.poll(0))
