"""The system's own ssh: its configuration, its agent, its jump hosts; our rules on top.

One connection for each server, shared through a socket in a folder of this user's own. Host keys
are always checked, nothing is forwarded, nothing is asked: whatever the user's configuration says.
What runs there is a fixed word list; what is asked of it goes through its standard input.
"""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from berthmaster.adapters.ssh import errors
from berthmaster.adapters.ssh.wire import Wire
from berthmaster.domain.elsewhere import ServerEntry

ENTRY: Final = ("berth", "serve-request")
TRIES: Final = 3
_SOCKET_LENGTH: Final = 60  # ssh adds a hash and a suffix; unix sockets end at 108
_OPTIONS: Final = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "UpdateHostKeys": "no",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "RequestTTY": "no",
    "EscapeChar": "none",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
    "ControlMaster": "auto",
    "ControlPersist": "60",
    "LogLevel": "ERROR",
}


@dataclass(frozen=True, slots=True)
class SystemSsh:
    """How this user's ssh is started."""

    known_hosts: Path  # ours, beside the user's own
    config: Path | None = None  # instead of ~/.ssh/config

    def command(self, entry: ServerEntry, remote: Sequence[str]) -> list[str]:
        """The argument vector; `remote` are fixed words of ours, never anybody's text."""
        user, _, rest = entry.address.rpartition("@")
        host, port = _host_and_port(rest)
        words = ["ssh", "-T"]
        words += ["-F", str(self.config)] if self.config else []
        options = {**_OPTIONS, "ControlPath": f"{_socket_folder()}/%C"}
        options["GlobalKnownHostsFile"] = f'/etc/ssh/ssh_known_hosts "{self.known_hosts}"'
        for name, value in options.items():
            words += ["-o", f"{name}={value}"]
        words += ["-p", port] if port else []
        words += ["-l", user] if user else []
        sudo = ("sudo", "-n") if entry.is_sudo else ()
        return [*words, "--", host, *sudo, *remote]

    @contextlib.contextmanager
    def conversation(self, entry: ServerEntry) -> Iterator["Conversation"]:
        """Talk to the server's berth; raises the right error when nobody of ours answers."""
        talk = Conversation(entry.name, self.command(entry, ENTRY))
        try:
            yield talk
        finally:
            talk.end()


class Conversation:
    """One ssh process, its pipes, and what it complained about."""

    def __init__(self, server: str, command: Sequence[str]) -> None:
        self.server = server
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - ends with us
        # A group of its own: Ctrl-C at the terminal is ours to pass on, not ssh's to die of.
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                start_new_session=True,
            )
        except OSError as error:
            self._said.close()
            raise errors.not_installed(command[0], error) from error
        assert self._process.stdin is not None  # noqa: S101 - pipes were asked for
        assert self._process.stdout is not None  # noqa: S101
        self.wire = Wire(self._process.stdout.fileno(), self._process.stdin.fileno())

    @property
    def said(self) -> str:
        """What ssh, or a shell there, wrote to standard error."""
        self._said.seek(0)
        return self._said.read(20_000).decode(errors="replace")

    def why(self) -> Exception:
        """The error of a conversation that ended before it began."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        said = self.said or self.wire.rest().decode(errors="replace")
        return errors.explain(self.server, self._process.returncode, said)

    def hang_up(self) -> None:
        """Ask for nothing; raises unless a program of ours was there to be asked."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(30)
        if self._process.returncode not in (0, errors.NOT_ASKED):
            raise self.why()

    @property
    def is_busy(self) -> bool:
        """Whether ssh gave up because too many connect at once."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        return self._process.returncode == errors.SSH_FAILED and errors.is_busy(self.said)

    def end(self) -> None:
        """Close our ends; a shared connection stays for the next command."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()


def pause(attempt: int) -> None:
    """Before another try at a server that is too busy."""
    time.sleep(0.5 * 2**attempt)


def reach(ssh: SystemSsh, entry: ServerEntry) -> None:
    """Start the far side and hang up at once; raises what ssh says when nobody answers."""
    with ssh.conversation(entry) as talk:
        talk.hang_up()


def run_fixed(
    ssh: SystemSsh, entry: ServerEntry, remote: Sequence[str], given: bytes, seconds: float
) -> bytes:
    """Run fixed words there with this input; what they printed. Raises what `explain` says."""
    try:
        ended = subprocess.run(
            ssh.command(entry, remote),
            input=given,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise errors.ServerUnreachable(
            f"{entry.name} did not answer in {seconds:.0f} s", subject=entry.name, retryable=True
        ) from error
    except OSError as error:
        raise errors.not_installed("ssh", error) from error
    if ended.returncode:
        said = ended.stderr.decode(errors="replace")
        raise errors.explain(entry.name, ended.returncode, said)
    return ended.stdout


def _host_and_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = text.partition(":")
    return host, port


def _socket_folder() -> Path:
    """A folder that only this user may enter, with a short name."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    home = Path(runtime) if runtime and len(runtime) < _SOCKET_LENGTH else None
    folder = (home / "berth") if home else Path(tempfile.gettempdir()) / f"berth-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or folder.is_symlink():
        raise errors.ServerUnreachable(
            f"{folder} is not only yours: connections cannot be kept there", subject="ssh"
        )
    return folder
