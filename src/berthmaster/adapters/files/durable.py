"""Write files and folders so that they are there after a power cut, or not at all.

A rename alone is not enough: the data, and the folder that holds the name, must be on the disk too.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sync(path: Path) -> None:
    """Put a file's data, or a folder's names, on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner may enter, with its parents."""
    for folder in reversed((path, *path.parents)):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    return path


@contextmanager
def appearing(final: Path, *, mode: int) -> Iterator[Path]:
    """Give a folder to fill; it becomes `final` when the block ends, with its contents on the disk.

    A folder that is there already is replaced; what an error leaves behind is removed.
    """
    for left in final.parent.glob(f".{final.name}.*"):  # of a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    try:
        yield part
        part.chmod(mode)
        _sync_folders(part)
        _swap(part, final)
        sync(final.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def vanish(folder: Path) -> None:
    """Remove a folder: its name at once, then what is in it; one that is not there is no error."""
    if not folder.exists():
        return
    # NOTE: no folder is made for it: on a disk without inodes removing must still work.
    grave = folder.with_name(f".{folder.name}.{os.getpid()}-{time.monotonic_ns()}")
    folder.rename(grave)
    sync(folder.parent)
    shutil.rmtree(grave)
    for left in folder.parent.glob(".*.*-*"):  # of runs that were killed meanwhile
        number = left.name.rpartition(".")[2].partition("-")[0]
        if number.isdecimal() and not Path("/proc", number).exists():
            shutil.rmtree(left, ignore_errors=True)


def _swap(part: Path, final: Path) -> None:
    # A folder cannot be renamed over a full one. Whoever is killed between the two renames leaves
    # no release folder, and placing it again is what a continued deployment does.
    if final.exists():
        vanish(final)
    part.rename(final)


def _sync_folders(top: Path) -> None:
    for folder, _, _ in os.walk(top):
        sync(Path(folder))
