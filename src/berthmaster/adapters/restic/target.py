"""Where backups go: a folder, another machine over ssh, or S3-compatible storage."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from berthmaster.domain.errors import InvalidSpec

# Nobody is there to answer a question, and nothing of this server is lent to the other.
# One that vanishes is given up: a timer starts no second backup while the first one waits.
_SSH: Final = (
    *("ssh", "-a", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"),
    *("-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"),
)
_S3: Final = re.compile(r"s3:https?://[^/\s]+/[^/\s]+(?:/\S*)?\Z")
_WORDS: Final = (
    "a folder (/srv/backups), ssh://[user@]host[:port]/folder, or s3:https://host/bucket"
)


@dataclass(frozen=True, slots=True)
class Target:
    """A place, as people name it and as restic does."""

    text: str
    repository: str
    options: tuple[str, ...] = ()

    @property
    def folder(self) -> Path | None:
        """The folder on this machine, when it is one."""
        return Path(self.repository) if self.repository.startswith("/") else None


def parse_target(text: str) -> Target:
    """Read a target; raises `InvalidSpec`."""
    if text.startswith("/"):
        return Target(text, text)
    if _S3.match(text):
        return Target(text, text)
    if text.startswith("ssh://"):
        return _over_ssh(text)
    raise InvalidSpec(f"{text!r} is no place for backups: name {_WORDS}")


def _over_ssh(text: str) -> Target:
    parts = urlsplit(text)
    try:
        host, port, path = parts.hostname or "", parts.port, parts.path
    except ValueError as error:
        raise InvalidSpec(f"{text!r} has no port that can be") from error
    user = parts.username or ""
    if not re.fullmatch(r"[A-Za-z0-9][\w.:-]*", host) or not re.fullmatch(r"[\w.-]*", user):
        raise InvalidSpec(f"{text!r} names no host; write ssh://user@host/folder")
    if len(path) < 2 or path.startswith("-"):
        raise InvalidSpec(f"{text!r} names no folder; write ssh://{host}/folder")
    place = f"{user}@{host}" if user else host
    words = [*_SSH, *(("-p", str(port)) if port else ()), place, "-s", "sftp"]
    return Target(text, f"sftp:{place}:{path}", ("-o", f"sftp.command={shlex.join(words)}"))
