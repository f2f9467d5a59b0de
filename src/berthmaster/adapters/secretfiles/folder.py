"""Secret files on the disk: written beside their place and renamed, so that none is ever half."""

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from berthmaster.adapters.secretfiles import making
from berthmaster.adapters.secretfiles.errors import SecretFileFailed, translated
from berthmaster.adapters.synced import sync
from berthmaster.domain.secret import Made, Recipe, SecretFile

_NEW: Final = 0o600
_LARGEST: Final = 1_000_000  # bytes; Compose takes half of it
_IGNORED: Final = "*\n"


class DiskSecretFiles:
    """`ports.secretfiles.SecretFiles` on the disk."""

    def look(self, path: Path) -> SecretFile | None:
        """Mode, owner and age of what is there."""
        with translated(path):
            try:
                found = path.lstat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        is_plain = stat.S_ISREG(found.st_mode)
        mode, uid, changed_at = stat.S_IMODE(found.st_mode), found.st_uid, found.st_mtime
        return SecretFile(path.name, str(path), mode, uid, is_plain, changed_at, found.st_size)

    def names(self, folder: Path) -> tuple[str, ...]:
        """What lies in a folder."""
        with translated(folder):
            if not folder.is_dir():
                return ()
            return tuple(sorted(name for name in os.listdir(folder) if not name.startswith(".")))

    def read(self, path: Path) -> bytes:
        """The content; a link is not followed, a pipe not waited for."""
        with translated(path):
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise SecretFileFailed(path, "is no plain file")
                content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise SecretFileFailed(path, f"is larger than {_LARGEST // 1000} kB")
        return content

    def write(self, path: Path, content: bytes) -> None:
        """Write it whole or not at all, and on the disk."""
        with translated(path):
            _make_folders(path.parent)
            old = self.look(path)
            if old is not None and not old.is_plain:
                raise SecretFileFailed(path, "is no plain file: it is not written through a link")
            owner = path.parent.stat() if old is None else path.stat()
            part = _written(path, content, owner, old.mode if old else _NEW)
            try:
                os.replace(part, path)
            except OSError:
                part.unlink(missing_ok=True)
                raise
            sync(path.parent)

    def remove(self, path: Path) -> None:
        """Take it away."""
        with translated(path):
            path.unlink(missing_ok=True)

    def remove_folder(self, folder: Path) -> None:
        """Take it away with all that is in it; a link is not followed."""
        with translated(folder), suppress(FileNotFoundError):
            shutil.rmtree(folder)

    def owners(self, folder: Path) -> frozenset[int]:
        """Root, who runs this, and who owns the app's folder: whoever writes there is trusted."""
        with translated(folder):
            return frozenset({0, os.geteuid(), folder.stat().st_uid})

    def make(self, recipe: Recipe) -> Made:
        """A new value."""
        return making.make(recipe)

    def ends_at(self, certificate: bytes) -> datetime | None:
        """Until when it is valid."""
        return making.ends_at(certificate)


def _written(path: Path, content: bytes, owner: os.stat_result, mode: int) -> Path:
    """The content in a file beside, with owner and mode; nobody else could open it before."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            with suppress(PermissionError):  # only root may give a file away
                os.fchown(handle, owner.st_uid, owner.st_gid)
            os.fchmod(handle, mode)
            os.fsync(handle)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _make_folders(folder: Path) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
        owner = one.parent.stat()
        with suppress(PermissionError):
            os.chown(one, owner.st_uid, owner.st_gid)
    if missing:
        (missing[-1] / ".gitignore").write_text(_IGNORED)
