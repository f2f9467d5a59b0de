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
    is_by_suffix: bool = False  # no row names it


class Table:
    """The names of TLS entrypoints and the apps that are asked about names below a suffix."""

    def __init__(self, hosts: Path, apps: Path, entrypoints: frozenset[str]) -> None:
        self._hosts_path, self._apps_path = hosts, apps
        self._entrypoints = tuple(sorted(entrypoints))  # those with TLS
        self._stamps: tuple[Stamp, Stamp] = (NONE, NONE)
        self._entries: dict[str, str] = {}  # as the router's map has them
        self._apps: dict[str, AppQuestion] = {}
        self.is_read = False

    def find(self, name: str) -> Known | None:
        """Exactly, then by the suffix after the first dot, as the router does."""
        self.refresh()
        stack = self._stack(name)
        if stack is not None:
            return Known(stack)
        stack = self._stack("*." + name.partition(".")[2])
        return Known(stack, self._apps.get(stack), is_by_suffix=True) if stack is not None else None

    def _stack(self, host: str) -> str | None:
        for entrypoint in self._entrypoints:
            found = self._entries.get(f"{entrypoint}|{host}")
            if found is not None:
                return found.partition(":")[0]
        return None

    def refresh(self) -> bool:
        """Read what was replaced; True when something was. What cannot be read keeps its last."""
        stamps = (_stamp(self._hosts_path), _stamp(self._apps_path))
        if stamps == self._stamps and self.is_read:
            return False
        try:
            apps = _read_apps(self._apps_path)
            entries = _read_entries(self._hosts_path)
        except (OSError, ValueError, TypeError, KeyError):
            return False
        self._apps = apps
        self._entries, self._stamps, self.is_read = entries, stamps, True
        return True

    @property
    def count(self) -> int:
        """How many names and suffixes there are."""
        keys = (key.partition("|") for key in self._entries)
        return len({host for entrypoint, _, host in keys if entrypoint in self._entrypoints})


def write_apps(questions: Mapping[str, AppQuestion]) -> str:
    """The file beside the host map: by stack."""
    return json.dumps({name: vars(item) for name, item in sorted(questions.items())}) + "\n"


def _read_apps(path: Path) -> dict[str, AppQuestion]:
    if not path.exists():
        return {}
    data = json.loads(path.read_bytes())
    return {str(stack): AppQuestion(**item) for stack, item in data.items()}


def _read_entries(path: Path) -> dict[str, str]:
    """`https|shop.example.com shop-prod`, one a line; none at all is an empty table.

    Kept as they are: ten thousand are read while questions wait.
    """
    if not path.exists():
        return {}
    lines = path.read_text().split("\n")
    return dict(line.split(" ", 1) for line in lines if " " in line)


def _stamp(path: Path) -> Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return NONE
    return (found.st_mtime_ns, found.st_ino, found.st_size)
