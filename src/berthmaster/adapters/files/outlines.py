"""Outlines of `berth.yaml`, remembered by content: reading the file itself takes 0.15 s of imports.

Only a copy: when it cannot be read or written, the file is read.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import berthmaster
from berthmaster.domain import codec
from berthmaster.domain.domainpolicy import Outline
from berthmaster.domain.errors import Bug

_FILE: Final = "berth.yaml"
_KEPT: Final = 200
_READERS: Final = (  # what decides how the file is understood
    "adapters/berthfile/model.py",
    "adapters/berthfile/convert.py",
    "domain/domainpolicy.py",
)


class Outlines:
    """In a folder of the state folder, a small file for each content of a `berth.yaml`."""

    def __init__(self, state_folder: Path) -> None:
        self._folder = state_folder / "cache/outlines"
        self._is_kept = state_folder.is_dir()

    def outline(self, folder: Path, read: Callable[[Path], Outline]) -> Outline:
        """What was remembered of this content, or what `read` says of it, which is kept."""
        content = _content(folder)
        try:
            return _decoded(self._folder / f"{_key(content)}.json")
        except (OSError, ValueError, TypeError, KeyError, AttributeError, Bug):
            found = read(folder)
        if self._is_kept and content == _content(folder):  # what was read was this
            with contextlib.suppress(OSError):  # another user's folder, or a full disk
                self._keep(_key(content), found)
        return found

    def _keep(self, key: str, outline: Outline) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._folder / f".{key}.new"
        new.write_text(json.dumps(codec.encode(outline)))
        new.replace(self._folder / f"{key}.json")
        known = sorted(self._folder.glob("*.json"), key=lambda item: item.stat().st_mtime)
        for old in known[:-_KEPT]:
            old.unlink(missing_ok=True)


def _content(folder: Path) -> bytes:
    """Empty when it cannot be read: the reader says why."""
    try:
        return (folder / _FILE).read_bytes()
    except OSError:
        return b""


def _decoded(path: Path) -> Outline:
    found: Outline = codec.decode(Outline, json.loads(path.read_bytes()))
    return found


def _key(content: bytes) -> str:
    """Of the file and of the program that understands it."""
    base = Path(berthmaster.__file__).parent
    stamps = [(base / name).stat().st_mtime_ns for name in _READERS]
    program = f"{berthmaster.__version__} {stamps}".encode()
    return hashlib.sha256(program + content).hexdigest()[:32]
