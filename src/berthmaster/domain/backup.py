"""What a backup of a server holds, and which backups are kept. Values only.

A backup is one copy in the repository: its files appear together or not at all. Images lie beside
it in copies of their own, because they never change; a backup names those that it needs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

FORMAT = 1
POINT_PREFIX = "backup-"  # of the restore points that a backup takes


class CopyKind(StrEnum):
    """What a copy in the repository is."""

    WHOLE = "whole"  # a backup without a failed part
    PARTIAL = "partial"  # a backup that says itself what failed; never restored unasked
    IMAGE = "image"  # one image, needed by backups


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy in the repository."""

    id: str
    kind: CopyKind
    taken_at: datetime
    images: tuple[str, ...] = ()  # ids: of the image itself, or of those that the backup needs
    folder: str = ""  # of a backup: where its manifest lies

    @property
    def is_backup(self) -> bool:
        return self.kind is not CopyKind.IMAGE


@dataclass(frozen=True, slots=True)
class SavedVolume:
    """A volume with files; one that a database dump stands for is not saved."""

    name: str
    stack: str
    folder: str  # where its files lay on the server of the backup


@dataclass(frozen=True, slots=True)
class SavedDatabase:
    """The dump of one state service."""

    stack: str
    service: str
    point: str  # name of the restore point, in the stack's folder of restore points


@dataclass(frozen=True, slots=True)
class SavedImage:
    """An image by its id, and the names that releases or the gateway know it by."""

    id: str
    names: tuple[str, ...]
    tags: tuple[str, ...] = ()  # that the engine had for it; an archive by id carries none


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one backup holds, written into it."""

    taken_at: datetime
    server: str
    version: str
    state_folder: str
    address_block: str
    stacks: tuple[str, ...]  # with a live release
    removed: tuple[str, ...] = ()  # tenants that can still be restored
    folders: tuple[str, ...] = ()  # of apps
    volumes: tuple[SavedVolume, ...] = ()
    databases: tuple[SavedDatabase, ...] = ()
    images: tuple[SavedImage, ...] = ()
    settings: str | None = None  # text of the settings file
    settings_path: str = ""
    notes: tuple[str, ...] = ()  # what is not in it, and why that is no failure
    failed: tuple[str, ...] = ()
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Saved:
    """What one copy cost."""

    id: str
    file_count: int
    bytes_read: int
    bytes_added: int  # in the repository: the rest was there


@dataclass(frozen=True, slots=True)
class Keep:
    """How many backups stay: the newest of each of the last days and weeks that have one."""

    daily: int = 7
    weekly: int = 4


def copies_to_forget(copies: Sequence[Copy], keep: Keep) -> tuple[Copy, ...]:
    """Backups beyond retention, and images that no kept backup needs.

    The newest whole backup always stays; a partial one goes as soon as a whole one is newer.
    """
    whole = _newest_first(item for item in copies if item.kind is CopyKind.WHOLE)
    kept = set(whole[:1])
    kept |= set(_first_of_each(whole, "%Y-%m-%d", keep.daily))
    kept |= set(_first_of_each(whole, "%G-%V", keep.weekly))
    newest = whole[0].taken_at if whole else None
    kept |= {
        item
        for item in copies
        if item.kind is CopyKind.PARTIAL and (newest is None or item.taken_at > newest)
    }
    needed = {image for item in kept for image in item.images}
    kept |= {
        item for item in copies if item.kind is CopyKind.IMAGE and needed.issuperset(item.images)
    }
    return tuple(item for item in copies if item not in kept)


def _newest_first(copies: Iterable[Copy]) -> list[Copy]:
    return sorted(copies, key=lambda item: item.taken_at, reverse=True)


def _first_of_each(copies: Sequence[Copy], period: str, count: int) -> list[Copy]:
    first: dict[str, Copy] = {}
    for item in copies:
        first.setdefault(item.taken_at.strftime(period), item)
    return list(first.values())[:count]


def names_on_this_server(saved: Iterable[SavedImage], missing: Iterable[str]) -> Mapping[str, str]:
    """For each name that no image has here: the id it is known by instead.

    An archive of an image keeps no registry digest, so a release finds it by its id.
    """
    by_name = {name: item.id for item in saved for name in item.names}
    return {name: by_name[name] for name in missing if name in by_name}


@dataclass(frozen=True, slots=True)
class RestoreProgress:
    """How far a restore came; on the new server until it ends, so that it goes on after a kill."""

    backup: str
    steps: frozenset[str] = field(default_factory=frozenset)  # `state`, `volume:x`, `stack:y`
    told: tuple[str, ...] = ()  # what the run that ends it must still say
