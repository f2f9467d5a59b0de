"""The in-memory twin of the release files: contents and placed releases are dictionaries.

Reads real files when it is asked to keep them, and writes none.
"""

import hashlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from berthmaster.domain.errors import Bug, NotAllowed, OutsideError
from berthmaster.domain.names import parse_stack
from berthmaster.domain.release import Release

STATE_FOLDER = Path("/var/lib/berthmaster")


class FakeFiles:
    """A `ReleaseFiles` whose disk is a value.

    Tests read `placed` (by project and number: contents by target; a folder's files below its
    target), and set `failure` to have the next writes refused. A path that does not exist has its
    name as content.
    """

    def __init__(self) -> None:
        self.contents: dict[
            str, dict[str, bytes]
        ] = {}  # digest -> contents by path; a file's is ""
        self.placed: dict[tuple[str, int], dict[str, bytes]] = {}
        self.failure: OutsideError | None = None

    def keep(self, path: Path) -> str:
        """Remember a file or a folder; links that leave it are refused."""
        files = _read(path)
        marks = [f"{name}\0{hashlib.sha256(data).hexdigest()}" for name, data in files.items()]
        digest = hashlib.sha256("\n".join(sorted(marks)).encode()).hexdigest()
        self.contents[digest] = files
        return digest

    def release_folder(self, stack: str, number: int) -> Path:
        """Where the real one would have it."""
        return STATE_FOLDER / "stacks" / _project(stack) / f"r{number}"

    def place(self, release: Release, secrets: Mapping[str, bytes]) -> None:
        """Note every file of the release, all or none."""
        self._refuse()
        found: dict[str, bytes] = {}
        for copy in release.files:
            if not copy.is_secret:
                found |= self._copies(copy.target, copy.digest)
            elif copy.target in secrets:
                found[copy.target] = secrets[copy.target]
            else:
                raise Bug(f"the release names the secret file {copy.target} without its content")
        self.placed[release.stack.project, release.number] = found

    def remove(self, stack: str, number: int) -> None:
        """Forget a release's files; what is gone is no error."""
        self._refuse()
        self.placed.pop((_project(stack), number), None)

    def dump_folder(self, stack: str) -> Path:
        """Where the real one would have it."""
        return STATE_FOLDER / "dumps" / _project(stack)

    def prune_dumps(self, stack: str, keep: int) -> tuple[str, ...]:
        """The twin writes no dumps."""
        return ()

    def forget_dump(self, stack: str, name: str) -> None:
        """The twin writes no dumps."""

    def log_path(self, deployment_id: int, step: int) -> Path:
        """Where the real one would have it."""
        return STATE_FOLDER / "logs" / f"d{deployment_id}" / f"{step}.log"

    def unused_content(
        self, keep: AbstractSet[str], *, min_age_seconds: float = 3600.0
    ) -> tuple[str, ...]:
        """Digests that are not in `keep`; nothing here is young unless an age is asked for."""
        return () if min_age_seconds else tuple(sorted(set(self.contents) - keep))

    def forget_content(self, digests: Sequence[str]) -> None:
        """Forget contents; what is gone is no error."""
        for digest in digests:
            self.contents.pop(digest, None)

    def _copies(self, target: str, digest: str) -> dict[str, bytes]:
        if digest not in self.contents:
            raise OutsideError(f"content {digest[:12]} is missing", subject="files")
        files = self.contents[digest].items()
        return {f"{target}/{name}" if name else target: data for name, data in files}

    def _refuse(self) -> None:
        if self.failure:
            raise self.failure


def _read(path: Path) -> dict[str, bytes]:
    if not path.exists():
        return {"": str(path).encode()}
    if not path.resolve().is_relative_to(path.parent.resolve()):
        raise NotAllowed(f"{path} is a symbolic link that leaves its folder")
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(one.relative_to(path)): _read_inside(path, one) for one in _files(path)}


def _read_inside(folder: Path, path: Path) -> bytes:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise NotAllowed(f"{path} is a symbolic link that leaves {folder}")
    return path.read_bytes()


def _files(folder: Path) -> list[Path]:
    return sorted(one for one in folder.rglob("*") if one.is_symlink() or one.is_file())


def _project(stack: str) -> str:
    return parse_stack(stack).project if "@" in stack else stack
