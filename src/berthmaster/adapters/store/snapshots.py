"""Copies of the store beside it: made before and after each deployment, put back on request.

A bounded number is kept. Putting one back never removes the damaged file: it is set aside. Must not
open the damaged store, and decides nothing about what else has to follow.
"""

import os
import re
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from berthmaster.adapters.store.errors import StoreUnavailable, folder_of, snapshots_in
from berthmaster.adapters.store.migration import migrations
from berthmaster.adapters.synced import sync
from berthmaster.ports.snapshots import Snapshot

# Two for each deployment; a week of days takes a mistake back that was noticed late. A store of 300
# stacks has about 10 MB.
KEPT_NEWEST: Final = 10
KEPT_DAYS: Final = 7
_NAME: Final = re.compile(r"store-(\d{6,})-(\d{8}T\d{6}Z)\.db\Z")
_PARTS: Final = ("", "-wal", "-shm")
_DAMAGED_MARK: Final = ".set-aside-"


class StoreSnapshots:
    """`ports.snapshots.Snapshots` of the store in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def kept(self) -> tuple[Snapshot, ...]:
        """Newest first."""
        found = []
        for path in snapshots_in(self._path):
            if match := _NAME.match(path.name):
                at = datetime.strptime(f"{match[2]}+0000", "%Y%m%dT%H%M%SZ%z")
                found.append(Snapshot(path, at))
        return tuple(found)

    def problems(self, path: Path | None = None) -> tuple[str, ...]:
        """What is wrong with a store's file, or with the store itself; empty when it is sound."""
        file = path or self._path
        if not file.is_file() or not file.stat().st_size:
            return ("it is empty" if file.exists() else "it is not there",)
        try:
            with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as one:
                version = int(one.execute("PRAGMA user_version").fetchone()[0])
                found = [str(row[0]) for row in one.execute("PRAGMA quick_check")]
        except sqlite3.Error as error:
            return (str(error),)
        if not 0 < version <= len(migrations()):
            return (f"it has version {version} and this berth knows up to {len(migrations())}",)
        return tuple(text for text in found if text != "ok")

    def users(self) -> tuple[int, ...]:
        """Processes that have the store open now."""
        return tuple(sorted(set(_openers(self._path)) - {os.getpid()}))

    def restore(self, source: Path) -> Path | None:
        """Put a copy in the store's place; returns where the old file was set aside, if any.

        Raises `StoreUnavailable` when the disk does not take it; then the old file is in its place.
        """
        part = self._path.with_name(f".{self._path.name}.part")
        try:
            part.unlink(missing_ok=True)
            _copy(source, part)
            aside = self._set_aside()
            part.replace(self._path)
            sync(self._path.parent)
        except OSError as error:
            raise StoreUnavailable(
                f"{source} cannot be put in the place of {self._path}: {error.strerror}",
                subject="store",
                next_command="free space or mount the disk writable, then the same again",
            ) from error
        return aside

    def _set_aside(self) -> Path | None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = self._path.with_name(f"{self._path.name}{_DAMAGED_MARK}{stamp}")
        for part in _PARTS:  # a log of the old file must never be folded into the new one
            with suppress(FileNotFoundError):
                Path(f"{self._path}{part}").rename(f"{aside}{part}")
        return aside if aside.exists() else None


def next_path(store: Path, now: datetime) -> Path:
    """Where the next copy goes; numbered, because a clock may be set back."""
    newest = next(iter(snapshots_in(store)), None)
    match = _NAME.match(newest.name) if newest else None
    number = int(match[1]) + 1 if match else 1
    return folder_of(store) / f"store-{number:06d}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.db"


def keep(part: Path, store: Path, now: datetime) -> Path:
    """Give a copy the next number; another one when a command beside this takes it first."""
    while True:
        target = next_path(store, now)
        try:
            target.hardlink_to(part)
        except FileExistsError:
            continue
        return target


def forget_old(store: Path) -> None:
    """Remove copies beyond the newest few and the newest of each of the last days."""
    paths = snapshots_in(store)
    keep, days = set(paths[:KEPT_NEWEST]), dict[str, Path]()
    for path in paths:
        match = _NAME.match(path.name)
        days.setdefault(match[2][:8] if match else path.name, path)
    keep |= set(list(days.values())[:KEPT_DAYS])
    for path in {*paths, *_abandoned(store)} - keep:
        path.unlink(missing_ok=True)


def _abandoned(store: Path) -> list[Path]:
    """Half copies of commands that were killed."""
    parts = folder_of(store).glob(f".{store.name}.*.part")
    return [path for path in parts if not Path("/proc", path.name.split(".")[-2]).exists()]


def _copy(source: Path, target: Path) -> None:
    handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "wb") as file, source.open("rb") as old:
        while chunk := old.read(1 << 20):
            file.write(chunk)
        file.flush()
        os.fsync(handle)


def _openers(path: Path) -> list[int]:
    found, real = [], os.path.realpath(path)  # as the kernel names it, whatever links lead there
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            for link in folder.iterdir():
                with suppress(OSError):
                    if os.readlink(link) == real:
                        found.append(int(folder.parent.name))
                        break
    return found
