"""Input that comes faster than the command reads it: a dump of gigabytes into psql."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import cast

import pytest

from berthmaster.adapters.ssh import relay
from berthmaster.adapters.ssh import wire as frames
from berthmaster.adapters.ssh.asking import Asked, _Session
from berthmaster.adapters.ssh.errors import ConnectionLost
from berthmaster.adapters.ssh.system import Conversation
from berthmaster.adapters.ssh.wire import Wire, WireClosed
from berthmaster.domain.elsewhere import Request

TOTAL = 16 << 20


class Counting(relay.Relay):
    """Notes how much it held at most."""

    most = 0
    writes = 0

    def _write_input(self) -> bool:
        self.writes += 1
        return super()._write_input()

    def _give(self, body: bytes) -> None:
        super()._give(body)
        self.most = max(self.most, sum(map(len, self._unwritten)))


def started(words: list[str], *, goes_on: bool = True) -> tuple[Counting, Wire, int]:
    """A relay to a program, the other end of its wire, and what is to be closed."""
    (their_read, our_write), (our_read, their_write) = os.pipe(), os.pipe()
    (stdin, given), (output, stdout) = os.pipe(), os.pipe()
    process = subprocess.Popen(words, stdin=stdin, stdout=stdout)
    os.close(stdin)
    os.close(stdout)
    os.set_blocking(given, False)
    ends = relay.Ends((0, 1, 2), {output: frames.OUT}, given)
    made = Counting(Wire(their_read, their_write), ends, process.pid, goes_on=goes_on)
    process.returncode = 0  # the relay waits for it
    return made, Wire(our_read, our_write), our_write


def test_it_waits_with_whoever_sends_and_none_is_lost() -> None:
    made, client, _ = started(["wc", "-c"])

    def pour() -> None:
        for _ in range(TOTAL // frames.CHUNK):
            client.send(frames.INPUT, bytes(frames.CHUNK))
        client.send(frames.INPUT)

    pouring = threading.Thread(target=pour)
    pouring.start()
    assert made.run() == 0
    pouring.join()
    kind, body = client.receive()
    assert (kind, int(body)) == (frames.OUT, TOTAL)
    assert made.most <= relay.MOST_HELD + 2 * frames.CHUNK


def test_a_command_that_reads_no_more_costs_nothing() -> None:
    code = "import os, sys; os.close(0); sys.stdout.write('x'); sys.stdout.flush(); os.close(1)"
    wait = "import signal; signal.sigtimedwait([signal.SIGUSR1], 0.3)"
    made, client, _ = started([sys.executable, "-c", f"{code}; {wait}"])
    pouring = threading.Thread(target=client.send, args=(frames.INPUT, b"y" * 100_000))
    pouring.start()
    assert made.run() == 0
    pouring.join()
    assert made.writes < 1000


def test_who_goes_away_while_nothing_is_read_is_missed() -> None:
    made, client, our_write = started(["sleep", "60"], goes_on=False)

    def pour() -> None:
        with contextlib.suppress(WireClosed):
            while True:
                client.send(frames.INPUT, bytes(frames.CHUNK), patience_seconds=1.0)
        os.close(our_write)

    pouring = threading.Thread(target=pour)
    pouring.start()
    assert made.run() == 128 + 1  # SIGHUP
    pouring.join()


def test_who_cannot_send_is_let_go_by_the_fourth_interrupt() -> None:
    """While a full pipe is waited for, a signal can be heard and not be passed on."""
    talk = SimpleNamespace(server="web1", wire=None)
    session = _Session(cast("Conversation", talk), Asked(Request("1", (), "a@b", ())))
    session.has_begun = True
    for _ in range(3):
        session._interrupt(signal.SIGINT, None)
        session._interrupt(signal.SIGWINCH, None)
    with pytest.raises(ConnectionLost):
        session._interrupt(signal.SIGINT, None)
