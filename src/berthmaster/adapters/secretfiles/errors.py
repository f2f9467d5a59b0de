"""What can go wrong with a secret's file; a message names the path and never the content."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from berthmaster.domain.errors import OutsideError


class SecretFileFailed(OutsideError):
    """A secret's file could not be read or written."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path}: {why}", subject=str(path), next_command=f"ls -ld {path.parent} {path}"
        )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the system's errors into `SecretFileFailed`."""
    try:
        yield
    except OSError as error:
        raise SecretFileFailed(path, error.strerror or type(error).__name__) from error
