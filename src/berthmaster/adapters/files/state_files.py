"""`StateFiles`: what lies where under the state folder.

    <state>/content/<sha256>                    contents, 0600, root
    <state>/stacks/<project>/r<N>/files/...     copies with owner and mode, as the model names them
    <state>/stacks/<project>/r<N>/secrets/...   0400, each owned by the uid that reads it
    <state>/sites/<project>/r<N>/<site>/...     0444, served by the edge
    <state>/sites/<project>/_assets/...         hashed assets of all releases, hard links
    <state>/dumps/<project>/                    restore points, 0700
    <state>/logs/d<id>/<step>.log

Every folder down to a release is 0700 and owned by root, so no user of the host gets to a file by
its path. A container gets one file (or one folder) as a bind mount, which the engine makes as root:
inside it only the file's own owner and mode count (D13). Nothing is under /run: after a boot the
binds find their files.
"""

import os
import re
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from berthmaster.adapters.files import durable
from berthmaster.adapters.files.content import ContentStore
from berthmaster.adapters.files.errors import translated
from berthmaster.adapters.files.writing import (
    Placement,
    check_target,
    is_hashed_asset,
    write_placements,
)
from berthmaster.domain.errors import InvalidName
from berthmaster.domain.names import check_name, parse_stack
from berthmaster.domain.release import FileCopy, Release

ASSETS: Final = "_assets"
# A page that was open when its release was removed still asks for its chunks: a week covers most
# tabs.
ASSET_GRACE_SECONDS: Final = 7 * 24 * 3600.0
_SITES: Final = "sites/"
_PROJECT: Final = re.compile(r"[a-z][a-z0-9-]{0,80}\Z")


class StateFiles:
    """Keep contents by hash and write them out for a release, atomically, with owner and mode."""

    def __init__(
        self, state_folder: Path, *, asset_grace_seconds: float = ASSET_GRACE_SECONDS
    ) -> None:
        self._state = state_folder
        self._content = ContentStore(state_folder / "content")
        self._asset_grace_seconds = asset_grace_seconds

    def keep(self, path: Path) -> str:
        """Store a file or a folder and return its digest."""
        return self._content.keep(path)

    def release_folder(self, stack: str, number: int) -> Path:
        """Where the release's files are or will be, absolute."""
        return (self._state / "stacks" / _project(stack) / f"r{number}").absolute()

    def place(self, release: Release, secrets: Mapping[str, bytes]) -> None:
        """Write every file of the release; what is in place stays, what is missing comes back.

        Raises `FilesFailed` when the disk does not take it; then nothing of it is to be seen.
        """
        sites = [_site(copy) for copy in release.files if copy.target.startswith(_SITES)]
        files = [
            Placement(copy.target, copy)
            for copy in release.files
            if not copy.target.startswith(_SITES)
        ]
        with translated(self._state):
            self._place_sites(release, sites)
            folder = self.release_folder(release.stack.project, release.number)
            self._build(folder, files, secrets, mode=0o700)

    def remove(self, stack: str, number: int) -> None:
        """Remove a release's files and sites; what is gone is no error."""
        with translated(self._state):
            for top in (self.release_folder(stack, number), self._site_folder(stack, number)):
                durable.vanish(top)
            self._forget_assets(stack)
            for parent in ("stacks", "sites"):
                _remove_when_empty(self._state / parent / _project(stack))

    def dump_folder(self, stack: str) -> Path:
        """Where restore points of a stack are kept; made here, mode 0700."""
        with translated(self._state):
            return durable.private_folder(self._state / "dumps" / _project(stack)).absolute()

    def prune_dumps(self, stack: str, keep: int) -> tuple[str, ...]:
        """Remove all but the newest restore points; what is half made is its maker's business."""
        folder = self._state / "dumps" / _project(stack)
        with translated(self._state):
            if not folder.is_dir():
                return ()
            points = [item for item in folder.iterdir() if not _is_half_made(item.name)]
            points.sort(key=lambda item: item.stat().st_mtime, reverse=True)
            for point in points[keep:]:
                durable.vanish(point)
            return tuple(point.name for point in points[keep:])

    def forget_dump(self, stack: str, name: str) -> None:
        """Remove one restore point by its name."""
        with translated(self._state):
            durable.vanish(self._state / "dumps" / _project(stack) / check_name("service", name))

    def log_path(self, deployment_id: int, step: int) -> Path:
        """Where a step's output goes; its folder is made here."""
        with translated(self._state):
            folder = durable.private_folder(self._state / "logs" / f"d{deployment_id}")
            return (folder / f"{step}.log").absolute()

    def unused_content(
        self, keep: AbstractSet[str], *, min_age_seconds: float = 3600.0
    ) -> tuple[str, ...]:
        """Digests that none in `keep` needs, directly or inside a folder, older than that."""
        with translated(self._state):
            return self._content.unused(keep, min_age_seconds=min_age_seconds)

    def forget_content(self, digests: Sequence[str]) -> None:
        """Remove contents; what is gone is no error."""
        with translated(self._state):
            for digest in digests:
                self._content.forget(check_target(digest))

    def _site_folder(self, stack: str, number: int) -> Path:
        return self._state / "sites" / _project(stack) / f"r{number}"

    def _place_sites(self, release: Release, sites: list[Placement]) -> None:
        if not sites:
            return
        folder = self._site_folder(release.stack.project, release.number)
        self._build(folder, sites, {}, mode=0o755)
        for parent in (folder.parent, folder.parent.parent):
            parent.chmod(0o755)  # the edge need not run as root; `<state>` above is closed
        for site in {placement.path.split("/")[0] for placement in sites}:
            _share_assets(folder / site, folder.parent / ASSETS)

    def _build(
        self, folder: Path, placements: list[Placement], secrets: Mapping[str, bytes], *, mode: int
    ) -> None:
        if folder.exists() and all(os.path.lexists(folder / item.path) for item in placements):
            return
        durable.private_folder(folder.parent)
        with durable.appearing(folder, mode=mode) as part:
            write_placements(part, placements, self._content, secrets, folder_mode=mode)

    def _forget_assets(self, stack: str) -> None:
        pool = self._state / "sites" / _project(stack) / ASSETS
        limit = time.time() - self._asset_grace_seconds
        for top, _, names in os.walk(pool, topdown=False):
            for name in names:
                # One link left: no release has it any more, and losing the last one set its ctime.
                state = os.lstat(Path(top) / name)
                if state.st_nlink == 1 and state.st_ctime <= limit:
                    (Path(top) / name).unlink()
            _remove_when_empty(Path(top))


def _is_half_made(name: str) -> bool:
    """A restore point that is written now, or whose writer was killed; or one on its way out."""
    return name.endswith(".part") or name.startswith(".")


def _project(stack: str) -> str:
    project = parse_stack(stack).project if "@" in stack else stack
    if not _PROJECT.match(project):
        raise InvalidName(f"{stack!r} is not the name of a stack")
    return project


def _site(copy: FileCopy) -> Placement:
    return Placement(copy.target.removeprefix(_SITES), copy)


def _share_assets(site: Path, pool: Path) -> None:
    for top, _, names in os.walk(site):
        for name in names:
            source = Path(top) / name
            path = source.relative_to(site)
            if source.is_symlink() or not is_hashed_asset(path.as_posix()):
                continue
            _make_open(pool, path.parent)
            if not (pool / path).exists():  # a name with a hash never means two contents
                os.link(source, pool / path)


def _make_open(pool: Path, folder: Path) -> None:
    for path in (pool, *(pool / parent for parent in reversed(folder.parents)), pool / folder):
        if not path.exists():
            path.mkdir()
            path.chmod(0o755)


def _remove_when_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
