"""The far side of `berth -S`: takes one request from standard input, checks it, runs it.

Nothing of a request reaches a shell. What it asks for is run by a child of this process, with the
request's words as its arguments, in a folder that holds what was sent.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import berthmaster
from berthmaster.adapters.ssh import relay
from berthmaster.adapters.ssh import wire as frames
from berthmaster.adapters.ssh.trees import SentTrees
from berthmaster.adapters.ssh.wire import Wire, WireClosed
from berthmaster.domain.elsewhere import (
    PROTOCOL,
    Request,
    check_versions,
    parse_request,
    parse_version,
)
from berthmaster.domain.errors import BerthmasterError, UserError

# Those that only look, or that a person sits at: they end when nobody looks any more.
ENDING: Final = frozenset({"logs", "exec", "run", "compose", "attach"})


class FarSide(Protocol):
    """What the machine that is asked brings along."""

    def command_of(self, request: Request) -> str:
        """The command's name, `gateway up`; raises for what may not be asked for from afar."""
        ...

    def used_folders(self) -> frozenset[str]:
        """Folders that stacks were deployed from."""
        ...

    def bring_images(self, wire: Wire, request: Request, folder: Path) -> None:
        """Ask for images that no registry has and that are not here."""
        ...

    def run(self, request: Request, folder: Path | None) -> int:
        """Run the command in this process, a child of the one that serves; its exit code."""
        ...


@dataclass(frozen=True, slots=True)
class Serving:
    """One request over one wire."""

    wire: Wire
    far: FarSide
    trees: SentTrees

    def serve(self) -> int:
        """Answer it; 0 when it was answered, whatever the command's own exit code."""
        try:
            request, command = self._accept()
            folder = self._take_files(request)
            if request.brings_images and folder is not None:
                self.far.bring_images(self.wire, request, folder)
            self.wire.send(frames.BEGUN)  # from here on a client that is gone stops nothing
        except WireClosed:
            return 1  # nobody is left to be told
        except BerthmasterError as error:
            self._refuse(error)
            return 0
        ends = relay.open_ends(request.streams)
        pid = _start(ends, lambda: self.far.run(request, folder))
        relay.Relay(self.wire, ends, pid, goes_on=command.split(" ")[0] not in ENDING).run()
        return 0

    def _accept(self) -> tuple[Request, str]:
        data = self.wire.expect(frames.REQUEST)
        hello = {"version": berthmaster.__version__, "protocol": PROTOCOL}
        self.wire.send_json(frames.HELLO, hello)
        check_versions(berthmaster.__version__, *parse_version(data))
        request = parse_request(data)
        return request, self.far.command_of(request)

    def _take_files(self, request: Request) -> Path | None:
        missing = self.trees.missing(request) if request.files else []
        self.wire.send_json(frames.NEEDED, [one.digest for one in missing])
        for one in missing:
            self.trees.take(one, self._read_blob)
        return self.trees.place(request, self.far.used_folders) if request.files else None

    def _read_blob(self, most: int) -> bytes:
        body = self.wire.expect(frames.BLOB)
        if not 0 < len(body) <= most:
            raise UserError("a file is longer or shorter than was announced")
        return body

    def _refuse(self, error: BerthmasterError) -> None:
        facts = {
            "message": error.message,
            "exit_code": error.exit_code,
            "next_command": error.next_command,
        }
        try:
            self.wire.send_json(frames.FAILED, facts)
        except WireClosed:
            return


def _start(ends: relay.Ends, run: Callable[[], int]) -> int:
    """The command in a child of its own session, with these streams; returns its process id."""
    pid = os.fork()
    if pid:
        ends.close_child()
        if ends.given is not None:
            os.set_blocking(ends.given, False)
        return pid
    code = 70
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler if number == 2 else signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        relay.wear(ends)
        code = run()
    finally:
        os._exit(code)
