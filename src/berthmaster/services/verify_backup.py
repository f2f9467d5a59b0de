"""`berth server backup --verify`: read everything in the target again and restore it on trial.

Files go to a folder that is removed afterwards, each dump into a database of its own that is
dropped again, images are read to their end. What is damaged is named: the file in the target, and
the parts that cannot be restored because of it. Changes nothing that serves.
"""

import shutil
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Final

from berthmaster.domain.backup import Copy, CopyKind, Manifest, SavedDatabase
from berthmaster.domain.errors import BerthmasterError, OutsideError
from berthmaster.domain.names import parse_stack
from berthmaster.engine.lease import hold
from berthmaster.planner.putback import TRIAL_DATABASE, is_kept
from berthmaster.ports.backups import Backups
from berthmaster.ports.outside import Outside
from berthmaster.ports.snapshots import Snapshots
from berthmaster.ports.store import Event
from berthmaster.services.back_up_server import (
    LEASE,
    STAGED,
    STORE_COPY,
    read_manifest,
)
from berthmaster.services.restore_server import choose_copy
from berthmaster.services.watch_backups import BACKUP_FAILED

VERIFIED: Final = "server_backup_verified"
TRIAL: Final = "backup/trial"  # under the state folder; no part of a backup
KEY: Final = "secret.key"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was restored on trial, and what is wrong."""

    copy_id: str
    parts: tuple[str, ...]  # that came back whole
    damaged: tuple[str, ...]  # files of the target, and parts
    seconds: float


async def verify_backup(
    outside: Outside, backups: Backups, snapshots: Snapshots, wanted: str | None = None
) -> Verified:
    """Verify the newest whole backup, or the one named; raises `NotFound` without one."""
    start = outside.clock.monotonic()
    async with hold(outside.store, LEASE, what="berth server backup --verify"):
        copy = await choose_copy(backups, wanted)
        damaged = list(await backups.check())
        trial = _Trial(outside, backups, snapshots, copy)
        try:
            await trial.run()
        finally:
            shutil.rmtree(trial.folder, ignore_errors=True)
        damaged += trial.damaged
    what = BACKUP_FAILED if damaged else VERIFIED
    detail = f"{copy.id[:8]} is damaged: {damaged[0]}" if damaged else copy.id[:8]
    outside.store.record(Event(outside.clock.now(), outside.actor, None, what, detail))
    seconds = outside.clock.monotonic() - start
    return Verified(copy.id, tuple(trial.whole), tuple(damaged), seconds)


class _Trial:
    """One restore that is thrown away."""

    def __init__(
        self, outside: Outside, backups: Backups, snapshots: Snapshots, copy: Copy
    ) -> None:
        self._outside = outside
        self._backups = backups
        self._snapshots = snapshots
        self._copy = copy
        self.folder = outside.state_folder / TRIAL
        self.whole: list[str] = []
        self.damaged: list[str] = []

    async def run(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)  # of one that was killed
        manifests: list[Manifest] = []
        await self._tried("manifest", self._read_manifest(manifests))
        for manifest in manifests:
            await self._tried("store and key", self._state(manifest))
            for name in manifest.folders:
                await self._tried(f"folder {name}", self._extract(name))
            for volume in manifest.volumes:
                await self._tried(f"volume {volume.name}", self._extract(volume.folder))
            for database in manifest.databases:
                what = f"database {database.service} of {database.stack}"
                await self._tried(what, self._database(database))
            await self._images(manifest)

    async def _tried(self, what: str, work: Awaitable[None]) -> None:
        try:
            await work
        except (BerthmasterError, OSError) as error:
            self.damaged.append(f"{what}: {error}")
        else:
            self.whole.append(what)

    async def _read_manifest(self, found: list[Manifest]) -> None:
        found.append(await read_manifest(self._backups, self._copy))

    async def _state(self, manifest: Manifest) -> None:
        place = self.folder / "state"
        await self._backups.extract(self._copy.id, manifest.state_folder, place)
        if problems := self._snapshots.problems(place / STAGED / STORE_COPY):
            raise OutsideError(f"the store in it is damaged: {problems[0]}", subject="store")
        key = self._outside.state_folder / KEY
        if key.exists() and (place / KEY).read_bytes() != key.read_bytes():
            raise OutsideError("it holds another key than this server uses", subject="key")

    async def _extract(self, source: str) -> None:
        place = self.folder / "part"
        await self._backups.extract(self._copy.id, source, place)
        shutil.rmtree(place, ignore_errors=True)

    async def _database(self, saved: SavedDatabase) -> None:
        """Into a new database of the running server, which checks what it got."""
        databases, stack = self._outside.databases, parse_stack(saved.stack)
        folder = self.folder / "state" / "dumps" / stack.project
        point = next((item for item in databases.points(folder) if item.name == saved.point), None)
        if point is None:
            raise OutsideError(f"the dump {saved.point} is not in it", subject=saved.service)
        found = await self._outside.runtime.container(point.container)
        if found is None or not found.is_running:
            raise OutsideError(
                f"{point.container} does not run, so its dump was not restored", subject="database"
            )
        for name in point.databases:
            if is_kept(name):
                continue
            try:
                await databases.restore_into(
                    point.container, folder, point.name, name, TRIAL_DATABASE
                )
            finally:  # one that does not open leaves what it had made until then
                await databases.drop(point.container, TRIAL_DATABASE)

    async def _images(self, manifest: Manifest) -> None:
        copies = await self._backups.copies()
        archives = {
            image: item.id
            for item in copies
            if item.kind is CopyKind.IMAGE
            for image in item.images
        }
        for image in manifest.images:
            names = image.names or (image.id,)
            await self._tried(f"image {names[0]}", self._read(archives.get(image.id)))

    async def _read(self, copy_id: str | None) -> None:
        if copy_id is None:
            raise OutsideError("it is not in the target", subject="image")
        async for _ in self._backups.stream(copy_id):
            pass


def newest_first(copies: Iterable[Copy]) -> list[Copy]:
    """Backups for a list, images left out."""
    return [item for item in reversed(tuple(copies)) if item.is_backup]
