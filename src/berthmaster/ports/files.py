"""Content store and release folders under the state directory."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Protocol

from berthmaster.domain.release import Release


class ReleaseFiles(Protocol):
    """Keeps contents by hash; writes them out for a release, atomically, with owner and mode."""

    def keep(self, path: Path) -> str:
        """Store a file or a folder (symlinks that leave it are refused); returns its digest."""
        ...

    def release_folder(self, stack: str, number: int) -> Path:
        """Where the release's files are or will be; absolute, so that models can name it.

        `stack` is `app@env/tenant` or its project name, here and below."""
        ...

    def place(self, release: Release, secrets: Mapping[str, bytes]) -> None:
        """Write every `FileCopy` of the release; `secrets` holds contents by target."""
        ...

    def remove(self, stack: str, number: int) -> None: ...

    def dump_folder(self, stack: str) -> Path:
        """Where restore points of a stack are kept; mode 0700."""
        ...

    def prune_dumps(self, stack: str, keep: int) -> tuple[str, ...]:
        """Remove all but the newest restore points of a stack; returns the names of the removed."""
        ...

    def forget_dump(self, stack: str, name: str) -> None:
        """Remove one restore point; one that is not there is no error."""
        ...

    def log_path(self, deployment_id: int, step: int) -> Path:
        """Where a step's output goes."""
        ...

    def unused_content(
        self, keep: AbstractSet[str], *, min_age_seconds: float = 3600.0
    ) -> tuple[str, ...]:
        """Digests that none in `keep` needs, directly or inside a folder.

        Young ones are left out: a deploy that prepares now has recorded nothing yet.
        """
        ...

    def forget_content(self, digests: Sequence[str]) -> None: ...
