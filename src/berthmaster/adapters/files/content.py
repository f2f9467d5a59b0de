"""Contents by hash: `content/<sha256>` for a file, `tree-<sha256>` for the list of a folder.

A name is written once and never changed, so that releases can share it.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final

from berthmaster.adapters.files import durable
from berthmaster.adapters.files.errors import FilesFailed, translated
from berthmaster.adapters.files.tree import (
    Entry,
    open_file,
    read_manifest,
    read_tree,
    write_manifest,
)
from berthmaster.domain.errors import NotAllowed

TREE: Final = "tree-"


class ContentStore:
    """Keep and give back contents below one folder, which only its owner may enter."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, path: Path) -> str:
        """Store a file or a folder; a link is followed only to its own folder or below.

        Raises `NotAllowed` for links that leave and for what is no file, `FilesFailed` for the
        rest.
        """
        with translated(path):
            real = path.resolve(strict=True)
            if not real.is_relative_to(path.parent.resolve()):
                raise NotAllowed(f"{path} is a symbolic link to {real}, outside its folder")
            durable.private_folder(self._folder)
            if real.is_dir():
                return self._keep_folder(real)
            handle = open_file(str(real))
            with open(handle, "rb"):
                return self._keep_open(handle)

    def open(self, digest: str) -> BinaryIO:
        """Open a stored file; raises `FilesFailed` when it is gone."""
        try:
            return (self._folder / digest).open("rb")
        except FileNotFoundError as error:
            raise FilesFailed(
                f"content {digest[:12]} is missing in {self._folder}: deploy from the sources",
                subject="files",
            ) from error

    def entries(self, digest: str) -> tuple[Entry, ...]:
        """What a stored folder holds."""
        with self.open(digest) as file:
            return read_manifest(file.read())

    def unused(self, keep: AbstractSet[str], *, min_age_seconds: float) -> tuple[str, ...]:
        """Digests that none in `keep` needs, older than that; see `ports/files.py`."""
        needed = {*keep, *self._inside(keep)}
        limit = time.time() - min_age_seconds
        return tuple(
            sorted(
                path.name
                for path in (self._folder.iterdir() if self._folder.exists() else ())
                if path.name not in needed and path.stat().st_mtime <= limit
            )
        )

    def forget(self, digest: str) -> None:
        """Remove one content; one that is gone is no error."""
        (self._folder / digest).unlink(missing_ok=True)

    def _inside(self, digests: AbstractSet[str]) -> Iterator[str]:
        for digest in digests:
            if digest.startswith(TREE) and (self._folder / digest).exists():
                yield from (entry.digest for entry in self.entries(digest) if entry.digest)

    def _keep_folder(self, folder: Path) -> str:
        data = write_manifest(read_tree(folder, self._keep_open))
        digest = TREE + hashlib.sha256(data).hexdigest()
        if not self._is_kept(digest):
            self._add(digest, lambda file: file.write(data))
        return digest

    def _keep_open(self, handle: int) -> str:
        with open(os.dup(handle), "rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
            if not self._is_kept(digest):
                source.seek(0)
                self._add(digest, lambda file: _copy(source, file, digest))
        return digest

    def _is_kept(self, digest: str) -> bool:
        # Its age starts again, so that a prune in between does not take it from the deploy that
        # asks.
        with suppress(FileNotFoundError):
            os.utime(self._folder / digest)
            return True
        return False

    def _add(self, digest: str, write: Callable[[BinaryIO], object]) -> None:
        handle, part = tempfile.mkstemp(prefix=".part-", dir=self._folder)
        try:
            with open(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            Path(part).rename(self._folder / digest)
            durable.sync(self._folder)
        finally:
            Path(part).unlink(missing_ok=True)


def _copy(source: BufferedReader, target: BinaryIO, digest: str) -> None:
    start = source.tell()
    shutil.copyfileobj(source, target)
    source.seek(start)
    if hashlib.file_digest(source, "sha256").hexdigest() != digest:
        raise FilesFailed(
            "a file changed while it was read; try again", subject="files", retryable=True
        )
