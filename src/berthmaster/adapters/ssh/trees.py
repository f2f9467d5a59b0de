"""Folders that were sent: each named by what is in it, so that two laptops never meet in one.

sent/blobs/<hash>      a file's content, kept for the next bundle
sent/trees/<key>/app   an app's folder, never changed once it is there
sent/trees/<key>/facts.json
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from berthmaster.adapters.synced import sync
from berthmaster.domain.elsewhere import Request, SentFile
from berthmaster.domain.errors import OutsideError, UserError

FOLDER: Final = "sent"
APP: Final = "app"
KEPT_SECONDS: Final = 7 * 24 * 3600.0  # what no stack was deployed from, and no bundle used
Read = Callable[[int], bytes]  # at most so many bytes of what is sent


class SentTrees:
    """The bundles of one server."""

    def __init__(self, state_folder: Path) -> None:
        self.top = state_folder / FOLDER
        self.blobs, self.trees = self.top / "blobs", self.top / "trees"

    def missing(self, request: Request) -> list[SentFile]:
        """One entry for each content that is not here; nothing when the tree is."""
        if self._is_there(request.key):
            return []
        wanted = {one.digest: one for one in request.files if one.link is None}
        return [one for digest, one in wanted.items() if not (self.blobs / digest).is_file()]

    def take(self, entry: SentFile, read: Read) -> None:
        """Take one content from the wire; raises `UserError` when it is not what was announced."""
        with _disk_errors(), self._part() as part:
            total, left = sha256(), entry.size
            with part.open("wb") as file:
                while left:
                    data = read(left)
                    total.update(data)
                    left -= len(data)
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if total.hexdigest() != entry.digest:
                raise UserError(f"{entry.path} is not what was announced: did it change meanwhile?")
            part.rename(self.blobs / entry.digest)

    def place(self, request: Request, used: Callable[[], frozenset[str]]) -> Path:
        """The app's folder with these files; others that nobody uses any more are removed."""
        final = self.trees / request.key
        with _disk_errors(), self._locked():
            if not self._is_there(request.key):
                self._build(request, final)
                self._forget(used() | {str(final / APP)})
            os.utime(final)
        return final / APP

    def _is_there(self, key: str) -> bool:
        return (self.trees / key / APP).is_dir()

    def _build(self, request: Request, final: Path) -> None:
        shutil.rmtree(final, ignore_errors=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=_private(self.trees)))
        try:
            (part / APP).mkdir(mode=0o700)
            for one in request.files:
                self._write(part / APP / one.path, one)
            (part / "facts.json").write_text(json.dumps(dict(request.facts)))
            for folder, _, names in os.walk(part):
                for path in (*(Path(folder) / name for name in names), Path(folder)):
                    if not path.is_symlink():
                        sync(path)
            part.rename(final)
            sync(self.trees)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _write(self, path: Path, entry: SentFile) -> None:
        # No entry lies below a link (`parse_request`), so no folder on the way is one.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if entry.link is not None:
            path.symlink_to(entry.link)
            return
        blob = self.blobs / entry.digest
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(handle, "wb") as file, blob.open("rb") as source:
            shutil.copyfileobj(source, file)
            os.fchmod(handle, entry.mode)
        os.utime(blob)

    def _forget(self, used: frozenset[str]) -> None:
        old = time.time() - KEPT_SECONDS
        for tree in self.trees.iterdir():
            if tree.stat().st_mtime < old and str(tree / APP) not in used:
                shutil.rmtree(tree, ignore_errors=True)
        for blob in self.blobs.iterdir():
            if blob.stat().st_mtime < old:
                blob.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _part(self) -> Iterator[Path]:
        handle, name = tempfile.mkstemp(prefix=".part-", dir=_private(self.blobs))
        os.close(handle)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(_private(self.top) / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            _private(self.blobs)
            _private(self.trees)
            yield
        finally:
            os.close(handle)


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutsideError(
            f"the server cannot keep what was sent: {error.strerror}; nothing was done",
            subject="disk",
            next_command="make room there: docker system df, df -h",
        ) from error
