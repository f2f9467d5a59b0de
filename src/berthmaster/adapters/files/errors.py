"""The file system's errors as ours, with what to do about them."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from berthmaster.domain.errors import OutsideError


class FilesFailed(OutsideError):
    """A file or folder could not be read or written."""


_REMEDIES: Final = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is mounted read-only",
    errno.EACCES: "run as root",
    errno.EPERM: "run as root",
    errno.ENOENT: "it is not there",
    errno.ELOOP: "it is a symbolic link, or goes through one",
}


# What was begun is finished or reversed by the next command, once there is space again.
_PASSING: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise `FilesFailed` that names the file for any error of the file system inside."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
        where = error.filename if isinstance(error.filename, str) else path
        is_passing = error.errno in _PASSING
        raise FilesFailed(
            f"{where}: {remedy}",
            subject="files",
            retryable=is_passing,
            next_command="df -h -i, free space, then berth tick" if is_passing else None,
        ) from error
