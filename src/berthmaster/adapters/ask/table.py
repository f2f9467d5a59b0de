"""What may have a certificate: the router's own host map, read anew whenever it was replaced.

The map is the one that requests are routed by, so that the answer cannot differ from the routing,
and adding a domain is one file. Standard library only: this runs outside Berthmaster's environment.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

Stamp = tuple[int, int, int]
NONE: Final = (0, 0, 0)


@dataclass(frozen=True)
class AppQuestion:
    """How a pooled app is asked whether it knows a name below its suffix."""

    path: str  # `/api/internal/validate-domain/`
    host: str  # a name of the app that it surely answers
    entrypoint: str


@dataclass(frozen=True)
class Known:
    """What the table says of a name."""

    stack: str
    app: AppQuestion | None = None  # that has the last word; None: the table has


class Table:
    """The names of TLS entrypoints and the apps that are asked about names below a suffix."""

    def __init__(self, hosts: Path, apps: Path, entrypoints: frozenset[str]) -> None:
        self._hosts_path, self._apps_path = hosts, apps
        self._entrypoints = entrypoints  # those with TLS
        self._stamps: tuple[Stamp, Stamp] = (NONE, NONE)
        self._names: dict[str, str] = {}
        self._apps: dict[str, AppQuestion] = {}
        self.is_read = False

    def find(self, name: str) -> Known | None:
        """Exactly, then by the suffix after the first dot, as the router does."""
        self.refresh()
        stack = self._names.get(name)
        if stack is not None:
            return Known(stack)
        stack = self._names.get("*." + name.partition(".")[2])
        return Known(stack, self._apps.get(stack)) if stack is not None else None

    def refresh(self) -> bool:
        """Read what was replaced; True when something was. What cannot be read keeps its last."""
        stamps = (_stamp(self._hosts_path), _stamp(self._apps_path))
        if stamps == self._stamps and self.is_read:
            return False
        try:
            apps = _read_apps(self._apps_path)
            names = _read_hosts(self._hosts_path, self._entrypoints)
        except (OSError, ValueError, TypeError, KeyError):
            return False
        self._apps = apps
        self._names, self._stamps, self.is_read = names, stamps, True
        return True

    @property
    def count(self) -> int:
        """How many names and suffixes there are."""
        return len(self._names)


def write_apps(questions: Mapping[str, AppQuestion]) -> str:
    """The file beside the host map: by stack."""
    return json.dumps({name: vars(item) for name, item in sorted(questions.items())}) + "\n"


def _read_apps(path: Path) -> dict[str, AppQuestion]:
    if not path.exists():
        return {}
    data = json.loads(path.read_bytes())
    return {str(stack): AppQuestion(**item) for stack, item in data.items()}


def _read_hosts(path: Path, entrypoints: frozenset[str]) -> dict[str, str]:
    """`https|shop.example.com shop-prod`, one a line; none at all is an empty table."""
    names: dict[str, str] = {}
    if not path.exists():
        return names
    for line in path.read_text().splitlines():
        key, _, stack = line.partition(" ")
        entrypoint, _, host = key.partition("|")
        if entrypoint in entrypoints:
            names[host] = stack.partition(":")[0]
    return names


def _stamp(path: Path) -> Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return NONE
    return (found.st_mtime_ns, found.st_ino, found.st_size)
