"""Write the copies of a release below a folder, each with its mode and owner, and on the disk."""

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from berthmaster.adapters.files.content import TREE, ContentStore
from berthmaster.adapters.files.tree import Entry
from berthmaster.domain.errors import Bug, InvalidName
from berthmaster.domain.release import FileCopy

_READ: Final = 0o444
_HASHED_NAME: Final = re.compile(
    r"[.-](?=[^.]*[0-9A-Z])[\w-]{8,}(?:\.\w+)*\.(?!html?\Z)\w+\Z", re.ASCII
)
_HASHED_IN_ASSETS: Final = re.compile(
    r"(?:\A|/)(?:assets|static|_next)/(?:.*[/.-])?[\w-]{8,}(?:\.\w+)*\.(?!html?\Z)\w+\Z", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Placement:
    """One copy and where it goes below the folder that is being built."""

    path: str
    copy: FileCopy


def check_target(target: str) -> str:
    """Return a relative path of plain segments.

    Raises `InvalidName` for anything that could leave.
    """
    parts = target.split("/")
    if any(part in ("", ".", "..") for part in parts) or not target.isprintable() or "\\" in target:
        raise InvalidName(f"{target!r} is not a valid path inside a release")
    return target


def write_placements(
    top: Path,
    placements: Iterable[Placement],
    content: ContentStore,
    secrets: Mapping[str, bytes],
    *,
    folder_mode: int,
) -> None:
    """Write everything below `top`; folders on the way get `folder_mode`."""
    for placement in placements:
        target = top / check_target(placement.path)
        _make_parents(top, target, folder_mode)
        copy = placement.copy
        if copy.is_secret:
            _write_file(target, BytesIO(_secret(copy, secrets)), copy.mode, copy.uid)
        elif copy.digest.startswith(TREE):
            _write_tree(target, content, copy)
        else:
            with content.open(copy.digest) as source:
                _write_file(target, source, copy.mode, copy.uid)


def is_hashed_asset(path: str) -> bool:
    """Whether a name carries a content hash, as bundlers write it: `assets/index-BhX3kQ9a.js`.

    Outside of a folder for assets the hash must hold a digit or a capital, so that a word is not
    one.
    """
    return bool(_HASHED_NAME.search(path) or _HASHED_IN_ASSETS.search(path))


def _secret(copy: FileCopy, secrets: Mapping[str, bytes]) -> bytes:
    if copy.target not in secrets:
        raise Bug(f"the release names the secret file {copy.target} but its content was not sealed")
    return secrets[copy.target]


def _write_tree(target: Path, content: ContentStore, copy: FileCopy) -> None:
    _make_folder(target, copy)
    for entry in content.entries(copy.digest):
        path = target / entry.path
        if entry.link is not None:
            path.symlink_to(entry.link)
            os.chown(path, copy.uid, -1, follow_symlinks=False)
        elif entry.digest is None:
            _make_folder(path, copy)
        else:
            with content.open(entry.digest) as source:
                _write_file(path, source, _mode(entry, copy), copy.uid)


def _mode(entry: Entry, copy: FileCopy) -> int:
    # Whoever may read a program may run it.
    return copy.mode | ((copy.mode & _READ) >> 2 if entry.is_executable else 0)


def _make_folder(path: Path, copy: FileCopy) -> None:
    # Whoever may read the files may enter; the owner may also remove them.
    path.mkdir(exist_ok=True)
    path.chmod(copy.mode | (copy.mode & _READ) >> 2 | 0o200)
    os.chown(path, copy.uid, -1)


def _make_parents(top: Path, target: Path, mode: int) -> None:
    for folder in reversed(target.relative_to(top).parents[:-1]):
        if not (top / folder).exists():
            (top / folder).mkdir()
            (top / folder).chmod(mode)


def _write_file(path: Path, source: BinaryIO, mode: int, uid: int) -> None:
    # Nobody else may open it before it has its owner.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(handle, "wb") as target:
        shutil.copyfileobj(source, target)
        target.flush()
        os.fchown(handle, uid, -1)
        os.fchmod(handle, mode)
        os.fsync(handle)
