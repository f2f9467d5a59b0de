"""A folder as a list of entries: what its digest is made of and what is written out again.

Only what means the same on every machine counts: path, whether a file may be run, content, link
target. Symbolic links that leave the folder and anything that is no file, folder or link are
refused.
"""

import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from berthmaster.domain.errors import NotAllowed


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder: a file (`digest`), a link (`link`) or a folder (neither)."""

    path: str  # relative, with `/`
    digest: str | None = None
    link: str | None = None
    is_executable: bool = False


def read_tree(root: Path, keep: Callable[[int], str]) -> tuple[Entry, ...]:
    """List a folder, sorted; `keep` stores the open file and returns its digest.

    Files are opened below an open folder without following links, so that nobody can swap one in
    meanwhile.
    """
    found = [
        entry
        for folder, folders, files, handle in os.fwalk(root, follow_symlinks=False)
        for entry in _read_folder(root, Path(folder), [*folders, *files], handle, keep)
    ]
    return tuple(sorted(found, key=lambda entry: entry.path))


def write_manifest(entries: tuple[Entry, ...]) -> bytes:
    """The entries as bytes, the same for the same tree."""
    rows = [[entry.path, entry.digest, entry.link, entry.is_executable] for entry in entries]
    return json.dumps(rows, separators=(",", ":")).encode()


def read_manifest(data: bytes) -> tuple[Entry, ...]:
    """Read `write_manifest`'s bytes back."""
    rows: list[Any] = json.loads(data)
    return tuple(Entry(*row) for row in rows)


def open_file(name: str, folder: int | None = None) -> int:
    """Open a regular file without following a link; raises `NotAllowed` for anything else."""
    # O_NONBLOCK: opening a pipe would wait for its other end for ever.
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotAllowed(f"{name} is neither a file nor a folder; a release cannot carry it")
    return handle


def _read_folder(
    root: Path, folder: Path, names: list[str], handle: int, keep: Callable[[int], str]
) -> Iterator[Entry]:
    for name in names:
        path = PurePosixPath((folder / name).relative_to(root)).as_posix()
        mode = os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            yield Entry(path)
        elif stat.S_ISLNK(mode):
            yield Entry(path, link=_read_link(root, folder / name))
        else:
            yield _read_file(path, name, handle, keep)


def _read_file(path: str, name: str, folder: int, keep: Callable[[int], str]) -> Entry:
    handle = open_file(name, folder)
    try:
        is_executable = bool(os.fstat(handle).st_mode & stat.S_IXUSR)
        return Entry(path, digest=keep(handle), is_executable=is_executable)
    finally:
        os.close(handle)


def _read_link(root: Path, path: Path) -> str:
    # An absolute target is refused even inside: the copy lies elsewhere and would point back here.
    target = path.readlink()
    inside = (path.parent / target).resolve().is_relative_to(root.resolve())
    if target.is_absolute() or not inside:
        raise NotAllowed(
            f"{path} is a symbolic link to {target}, outside {root}: a release cannot carry it. "
            "Replace it by a relative link inside the folder, or by the file itself"
        )
    return str(target)
