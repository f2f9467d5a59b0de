"""The near side of `berth -S`: sends a request with what the server lacks, and shows the answer."""

import contextlib
import os
import selectors
import shutil
import signal
import struct
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from berthmaster.adapters.ssh import errors
from berthmaster.adapters.ssh import wire as frames
from berthmaster.adapters.ssh.system import TRIES, Conversation, SystemSsh, pause
from berthmaster.adapters.ssh.wire import Wire, WireClosed
from berthmaster.domain.elsewhere import Request, SentFile, ServerEntry, render_request
from berthmaster.domain.errors import BerthmasterError, OutsideError, UserError

_SIGNALS: Final = {signal.SIGINT: b"INT", signal.SIGTERM: b"TERM"}
_MOST_INTERRUPTS: Final = 3  # then we leave, and the command goes on there
Write = Callable[[bytes], None]
Told = Callable[[str, int, int], None]  # what is sent, bytes done, bytes in all


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, where its files are, and where the answer goes."""

    request: Request
    sources: Mapping[str, Path] = field(default_factory=dict)  # by digest
    out: Write = lambda data: _write_all(1, data)
    err: Write = lambda data: _write_all(2, data)
    told: Told = lambda what, done, total: None
    images: "Callable[[Wire, bytes, Told], None] | None" = None
    is_watched: bool = True  # signals and input of this process belong to it
    given: Path | None = None  # a file that is its input instead


def ask(ssh: SystemSsh, server: ServerEntry, asked: Asked) -> int:
    """Run the request there to its end; its exit code.

    Raises the far side's refusal, or what ssh says; `ConnectionLost` when the command goes on
    without us.
    """
    for attempt in range(TRIES):
        with ssh.conversation(server) as talk:
            try:
                begun = _Session(talk, asked)
                begun.open()
                return begun.follow()
            except WireClosed as closed:
                if begun.has_begun:
                    raise errors.lost(server.name) from closed
                if attempt + 1 == TRIES or not talk.is_busy:
                    raise talk.why() from closed
        pause(attempt)
    raise AssertionError("the last try returns or raises")


class _Session:
    def __init__(self, talk: Conversation, asked: Asked) -> None:
        self._server = talk.server
        self._wire = talk.wire
        self._asked = asked
        self._heard = 0  # interrupts that came
        self._interrupts = 0  # and were passed on
        self.has_begun = False

    def open(self) -> None:
        """Send the request and what the server lacks."""
        self._wire.send(frames.REQUEST, render_request(self._asked.request))
        self._await(frames.HELLO)
        needed = frames.strings(self._await(frames.NEEDED))
        entries = {one.digest: one for one in self._asked.request.files}
        total, done = sum(entries[one].size for one in needed if one in entries), 0
        for digest in needed:
            if digest not in self._asked.sources:
                raise OutsideError(
                    f"{self._server} asks for what it was not offered", subject="ssh"
                )
            for data in _chunks(self._asked.sources[digest], entries[digest]):
                self._wire.send(frames.BLOB, data)
                done += len(data)
                self._asked.told("files", done, total)

    def follow(self) -> int:
        """Pass everything on until the command has ended."""
        with contextlib.ExitStack() as stack, selectors.DefaultSelector() as looking:
            looking.register(self._wire.read_from, selectors.EVENT_READ, self._take)
            if self._asked.is_watched:
                heard = stack.enter_context(_signals(self._interrupt))
                looking.register(heard, selectors.EVENT_READ, lambda: self._pass_signals(heard))
                streams = self._asked.request.streams
                if streams.is_input and self._asked.given is None:
                    if streams.stdin and streams.stdout:
                        stack.enter_context(_raw_terminal())
                    with contextlib.suppress(PermissionError):  # a file: it is read at once
                        looking.register(0, selectors.EVENT_READ, self._pass_input)
            if self._asked.given is not None:
                source = stack.enter_context(_poured(self._asked.given))
                looking.register(source, selectors.EVENT_READ, lambda: self._pass_input(source))
            while True:
                while (frame := self._wire.taken()) is not None:
                    if (code := self._show(*frame)) is not None:
                        return code
                for key, _ in looking.select():
                    if not key.data():
                        looking.unregister(key.fd)

    def _interrupt(self, number: int, _: object) -> None:
        """A signal before anything runs there ends us; later it is passed on.

        One too many ends us, too: while a full pipe is waited for none can be passed on.
        """
        if number not in _SIGNALS:
            return
        if not self.has_begun:
            raise KeyboardInterrupt
        self._heard += 1
        if self._heard > _MOST_INTERRUPTS:
            raise errors.lost(self._server)

    def _await(self, kind: bytes) -> bytes:
        found, body = self._wire.receive()
        if found == frames.FAILED:
            raise self._refusal(body)
        if found != kind:
            raise WireClosed
        return body

    def _refusal(self, body: bytes) -> BerthmasterError:
        return errors.of_reply(self._server, frames.mapping(body))

    def _take(self) -> bool:
        if not self._wire.fill():
            raise WireClosed
        return True

    def _show(self, kind: bytes, body: bytes) -> int | None:
        if kind == frames.FAILED:
            raise self._refusal(body)
        if kind == frames.WANTED and self._asked.images:
            self._asked.images(self._wire, body, self._asked.told)
            return None
        if kind == frames.BEGUN:
            self.has_begun = True
        elif kind == frames.OUT:
            self._asked.out(body)
        elif kind == frames.ERR:
            self._asked.err(body)
        elif kind == frames.ENDED:
            return int(body)
        return None

    def _pass_input(self, source: int = 0) -> bool:
        data = os.read(source, frames.CHUNK)
        self._wire.send(frames.INPUT, data)
        return bool(data)

    def _pass_signals(self, heard: int) -> bool:
        for number in os.read(heard, 64):
            if number == signal.SIGWINCH:
                columns, rows = terminal_size()
                self._wire.send(frames.SIZE, struct.pack(">HH", columns, rows))
            elif name := _SIGNALS.get(signal.Signals(number)):
                self._interrupts += 1
                if self._interrupts > _MOST_INTERRUPTS:
                    raise errors.lost(self._server)
                self._wire.send(frames.SIGNAL, name)
        return True


def terminal_size() -> tuple[int, int]:
    """Columns and rows of the terminal we stand at."""
    for number in (1, 2, 0):
        with contextlib.suppress(OSError):
            return os.get_terminal_size(number)
    return 80, 24


def _chunks(path: Path, entry: SentFile) -> Iterator[bytes]:
    left = entry.size
    with path.open("rb") as file:
        while left:
            data = file.read(min(left, frames.CHUNK))
            if not data:
                raise UserError(f"{entry.path} changed while it was sent", next_command="try again")
            left -= len(data)
            yield data


@contextlib.contextmanager
def _signals(handler: Callable[[int, object], None]) -> Iterator[int]:
    """A pipe that holds the number of each signal that came; none of them ends us meanwhile."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    numbers = (*_SIGNALS, signal.SIGWINCH)
    before = {number: signal.signal(number, handler) for number in numbers}
    wakeup = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    try:
        yield read
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, old in before.items():
            signal.signal(number, old)
        os.close(read)
        os.close(write)


@contextlib.contextmanager
def _poured(path: Path) -> Iterator[int]:
    """A pipe that a file's content comes out of: a file itself cannot be waited for."""
    read, write = os.pipe()

    def pour() -> None:
        with (
            contextlib.suppress(BrokenPipeError),
            open(write, "wb") as out,
            path.open("rb") as file,
        ):
            shutil.copyfileobj(file, out)

    pouring = threading.Thread(target=pour, daemon=True)
    pouring.start()
    try:
        yield read
    finally:
        os.close(read)
        pouring.join(1)


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    """Every key goes to the other side, as it is."""
    before = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _write_all(number: int, data: bytes) -> None:
    (sys.stdout if number == 1 else sys.stderr).flush()
    while data:
        data = data[os.write(number, data) :]
