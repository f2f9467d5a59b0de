"""Which key a server shows, and keeping the one that a person confirmed."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from berthmaster.adapters.ssh import errors
from berthmaster.adapters.ssh.system import SystemSsh
from berthmaster.domain.elsewhere import ServerEntry

_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class HostKey:
    """One line of a `known_hosts` file, and how people compare it."""

    line: str
    fingerprint: str  # `SHA256:...`
    kind: str  # `ED25519`


def scan(ssh: SystemSsh, entry: ServerEntry) -> list[HostKey]:
    """The keys that answer at the address right now; nobody vouches for them yet."""
    host, port = resolve(ssh, entry)
    found = _run(["ssh-keyscan", "-T", "10", "-p", port, "--", host])
    keys = []
    for line in found.splitlines():
        if line and not line.startswith("#"):
            words = _run(["ssh-keygen", "-l", "-f", "-"], line).split()
            if len(words) > 2:  # of a kind that this machine's ssh knows
                keys.append(HostKey(line, words[1], words[-1].strip("()")))
    if not keys:
        raise errors.ServerUnreachable(
            f"{entry.name}: nothing that speaks ssh answers at {host} port {port}",
            subject=entry.name,
            next_command="with a jump host in ~/.ssh/config: ssh HOST once, and confirm its key",
        )
    return sorted(keys, key=lambda key: key.kind)


def resolve(ssh: SystemSsh, entry: ServerEntry) -> tuple[str, str]:
    """Host and port as ssh's configuration has them."""
    command = ssh.command(entry, ())
    rows = dict(line.partition(" ")[::2] for line in _run(["ssh", "-G", *command[1:]]).splitlines())
    return rows.get("hostname", entry.address), rows.get("port", "22")


def keep(known_hosts: Path, key: HostKey) -> None:
    """Add the key to our own file of known hosts."""
    known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(known_hosts, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(handle, "a", encoding="utf-8") as file:
        file.write(f"{key.line}\n")


def _run(words: list[str], given: str = "") -> str:
    try:
        ended = subprocess.run(
            words, input=given.encode(), capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise errors.ServerUnreachable(
            f"{words[0]} did not end in {_SECONDS:g} s", subject="ssh", retryable=True
        ) from error
    except OSError as error:
        raise errors.not_installed(words[0], error) from error
    return ended.stdout.decode(errors="replace")
