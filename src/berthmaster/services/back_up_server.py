"""`berth server backup`: everything that a fresh server needs to be this one, in one copy.

Databases by their own verified dumps, volumes by their files, the store by a snapshot, images in
copies of their own. One failed part makes a failed backup: it is kept as a partial one, told,
recorded, and never restored unasked. Changes nothing but restore points named `backup-...`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from berthmaster.domain import codec
from berthmaster.domain.backup import (
    Copy,
    CopyKind,
    Keep,
    Manifest,
    Saved,
    copies_to_forget,
)
from berthmaster.domain.errors import NotFound, OutsideError
from berthmaster.domain.names import StackId
from berthmaster.engine.lease import hold
from berthmaster.ports.backups import Backups, EngineData
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import Event
from berthmaster.services.gather_backup import Gathered, catch_up, gather
from berthmaster.services.watch_backups import BACKED_UP, BACKUP_FAILED

LEASE: Final = "backup"
STAGED: Final = "backup-now"  # folder under the state folder
MANIFEST: Final = "manifest.json"
STORE_COPY: Final = "store.db"
MOST_ROUNDS: Final = 4  # in which what was changed meanwhile is gathered again


@dataclass(frozen=True, slots=True)
class Installation:
    """What the backup must know of this installation besides its ports."""

    version: str
    server: str
    settings_path: Path | None = None
    keep: Keep = field(default_factory=Keep)


@dataclass(frozen=True, slots=True)
class BackupDone:
    """What a backup holds and what it cost."""

    copy_id: str
    manifest: Manifest
    saved: Saved
    images_saved: int
    bytes_added: int  # with images
    forgotten: int
    code: str | None  # the escrow code, when it was made now
    seconds: float


class BackupIncomplete(OutsideError):
    """A part failed; the rest is kept as a partial backup."""

    def __init__(self, done: BackupDone) -> None:
        self.done = done
        lines = "\n".join(f"  {item}" for item in done.manifest.failed)
        super().__init__(
            f"the backup failed: {len(done.manifest.failed)} of its parts could not be saved\n"
            f"{lines}\nThe rest is kept as {done.copy_id[:8]}, which is partial.",
            subject="backup",
            next_command="mend what is named, then berth server backup",
        )


async def back_up_server(
    outside: Outside, backups: Backups, data: EngineData, here: Installation
) -> BackupDone:
    """Save everything; raises `BackupIncomplete` with the partial backup when a part failed."""
    try:
        async with hold(outside.store, LEASE, what="berth server backup"):
            done = await _back_up(outside, backups, data, here)
    except OutsideError as error:
        _record(outside, BACKUP_FAILED, error.message.splitlines()[0])
        raise
    if done.manifest.failed:
        _record(outside, BACKUP_FAILED, "; ".join(done.manifest.failed))
        raise BackupIncomplete(done)
    _record(outside, BACKED_UP, f"{done.copy_id[:8]}, {done.bytes_added} bytes added")
    return done


async def _back_up(
    outside: Outside, backups: Backups, data: EngineData, here: Installation
) -> BackupDone:
    start = outside.clock.monotonic()
    code = await backups.prepare()
    known = await backups.copies()
    found = await gather(outside, data)
    there = {image for item in known if item.kind is CopyKind.IMAGE for image in item.images}
    costs = await _save_images(backups, data, found, there)
    staged = outside.state_folder / STAGED
    manifest = _stage(outside, here, found, staged)
    while changed := await catch_up(outside, data, found):
        if is_last := found.round == MOST_ROUNDS:
            _give_up(found, changed)
        costs += await _save_images(backups, data, found, there)
        manifest = _stage(outside, here, found, staged)
        if is_last:
            break
    kind = CopyKind.PARTIAL if manifest.failed else CopyKind.WHOLE
    images = tuple(item.id for item in manifest.images)
    copy = Copy("", kind, manifest.taken_at, images, str(staged))
    dumped = [Path(file) for part in found.parts for file in part.excluded]
    left_out = [*excluded(outside.state_folder), *dumped]
    saved = await backups.save(copy, _paths(outside, manifest), left_out)
    await _read_back(backups, saved.id, staged)
    forgotten = copies_to_forget(await backups.copies(), here.keep)
    await backups.forget([item.id for item in forgotten])
    return BackupDone(
        saved.id,
        manifest,
        saved,
        len(costs),
        saved.bytes_added + sum(item.bytes_added for item in costs),
        sum(item.is_backup for item in forgotten),
        code,
        outside.clock.monotonic() - start,
    )


def _give_up(found: Gathered, changed: Iterable[StackId]) -> None:
    """What never held still may not fit the snapshot: better a failed backup than a false one."""
    for stack in changed:
        part = found.stacks.get(stack, found.of_removed)
        part.failed.append(f"{stack}: it was changed again and again while it was saved")


async def _save_images(
    backups: Backups, data: EngineData, found: Gathered, there: set[str]
) -> list[Saved]:
    """Images that the repository lacks; one that fails is a failed part."""
    costs = []
    for image in found.images:
        if image.id in there:
            continue
        # An archive of a name keeps it; a release's image is found by its id.
        name = next((item for item in image.names if item in found.gateway_images), image.id)
        copy = Copy("", CopyKind.IMAGE, found.taken_at, (image.id,))
        what = f"image {image.names[0] if image.names else image.id}"
        saving = backups.save_stream(copy, data.image_archive(name))
        if saved := await found.of_images.tried(what, saving):
            costs.append(saved)
            there.add(image.id)
    return costs


def _manifest(outside: Outside, here: Installation, found: Gathered) -> Manifest:
    path = here.settings_path
    return Manifest(
        taken_at=found.taken_at,
        server=here.server,
        version=here.version,
        state_folder=str(outside.state_folder),
        address_block=outside.address_block,
        stacks=tuple(str(stack) for stack, part in found.stacks.items() if part.is_served),
        removed=tuple(found.removed),
        folders=tuple(found.folders),
        volumes=tuple(item for part in found.parts for item in part.volumes),
        databases=tuple(item for part in found.parts for item in part.databases),
        images=tuple(found.images),
        settings=path.read_text() if path and path.is_file() else None,
        settings_path=str(path or ""),
        notes=(*found.folder_notes, *(line for part in found.parts for line in part.notes)),
        failed=tuple(line for part in found.parts for line in part.failed),
    )


def _stage(outside: Outside, here: Installation, found: Gathered, staged: Path) -> Manifest:
    """A snapshot of the store and the manifest, in a folder that the copy takes with it."""
    manifest = _manifest(outside, here, found)
    try:
        staged.mkdir(mode=0o700, parents=True, exist_ok=True)
        store, listing = staged / STORE_COPY, staged / MANIFEST
        store.unlink(missing_ok=True)
        listing.unlink(missing_ok=True)
        outside.store.snapshot(store)
        listing.touch(mode=0o600)
        listing.write_text(json.dumps(codec.encode(manifest), indent=2))
    except OSError as error:
        raise OutsideError(
            f"{staged} cannot be written: {error.strerror}", subject="disk"
        ) from error
    return manifest


def _paths(outside: Outside, manifest: Manifest) -> list[Path]:
    volumes = [item.folder for item in manifest.volumes]
    return [outside.state_folder, *map(Path, (*manifest.folders, *volumes))]


def excluded(state_folder: Path) -> list[Path]:
    """What of the state folder is no part of a backup: the living store and what is made again."""
    names = ("store.db", "store.db-wal", "store.db-shm", "store.db.set-aside-*", "snapshots")
    own = ("backup", "restore.json", "gateway/haproxy/run")
    return [state_folder / name for name in (*names, *own)]


async def _read_back(backups: Backups, copy_id: str, staged: Path) -> None:
    """The manifest must come back as it was written."""
    path = staged / MANIFEST
    if await backups.read(copy_id, str(path)) != path.read_bytes():
        raise OutsideError(
            "the backup does not read back as it was written",
            subject="backup target",
            next_command="berth server backup --verify",
        )


async def read_manifest(backups: Backups, copy: Copy) -> Manifest:
    """The manifest of a backup; raises `NotFound` for one of a newer version."""
    plain = json.loads(await backups.read(copy.id, f"{copy.folder}/{MANIFEST}"))
    if plain.get("format") != Manifest.__dataclass_fields__["format"].default:
        raise NotFound(
            f"backup {copy.id[:8]} was made by berth {plain.get('version')}, which writes another"
            " format",
            next_command="install that version, then the same again",
        )
    manifest: Manifest = codec.decode(Manifest, plain)
    return manifest


def _record(outside: Outside, what: str, detail: str) -> None:
    outside.store.record(Event(outside.clock.now(), outside.actor, None, what, detail))
