"""The files that an app's secrets lie in, and new values to put into them."""

from datetime import datetime
from pathlib import Path
from typing import Protocol

from berthmaster.domain.secret import Made, Recipe, SecretFile


class SecretFiles(Protocol):
    """Looks at, reads and writes secrets; no value is ever in an error, a log or a repr.

    What cannot be read or written raises `OutsideError`.
    """

    def look(self, path: Path) -> SecretFile | None:
        """A file or a folder as it lies there, links not followed; None when there is none."""
        ...

    def names(self, folder: Path) -> tuple[str, ...]:
        """Names in a folder, sorted, without hidden ones; none when there is no folder."""
        ...

    def read(self, path: Path) -> bytes: ...

    def write(self, path: Path, content: bytes) -> None:
        """Write a file whole or not at all; a file that is there keeps its mode and owner.

        A new one gets mode 0600 and its folder's owner. Folders that are missing are made, 0700,
        with a `.gitignore` that keeps everything in them out of a repository.
        """
        ...

    def remove(self, path: Path) -> None:
        """What is not there is no error."""
        ...

    def remove_folder(self, folder: Path) -> None:
        """Remove it with all that is in it; what is not there is no error."""
        ...

    def owners(self, folder: Path) -> frozenset[int]:
        """Who may own a secret of this app: root, who runs this, who owns the app's folder."""
        ...

    def make(self, recipe: Recipe) -> Made:
        """A new value by its kind; raises `Bug` for one that only a person can give."""
        ...

    def ends_at(self, certificate: bytes) -> datetime | None:
        """Until when a certificate is valid; None when it is none."""
        ...
