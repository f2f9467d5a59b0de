"""A restore point is a folder: one file for each database, one for accounts, and a manifest.

The manifest has sizes and hashes of all of them. The folder gets its name only when its databases
were read back to their end and all is on disk; one that ends in `.part` never counts.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from berthmaster.adapters.dumps import errors
from berthmaster.adapters.synced import sync
from berthmaster.domain.names import check_name
from berthmaster.ports.databases import RestorePoint

MANIFEST: Final = "manifest.json"
PART: Final = ".part"
PART_SECONDS: Final = 24 * 3600.0  # no dump takes so long
# Fills a folder; returns what the manifest says besides files: `container`, `taken_at`, `databases`
# (name -> file) and what the adapter wants to know again.
Fill = Callable[[Path], Awaitable[Mapping[str, Any]]]


async def take_point(container: str, folder: Path, name: str, fill: Fill) -> RestorePoint:
    """Write a restore point, unless it is there; all of it or nothing."""
    final = folder / check_name("service", name)
    if not (final / MANIFEST).is_file():
        try:
            await _write(folder, final, fill)
        except OSError as exc:
            raise errors.not_written(container, folder, exc) from exc
    return _read_point(final)


def read_points(folder: Path) -> tuple[RestorePoint, ...]:
    """The whole ones in a folder, newest first."""
    found = []
    try:
        for path in folder.glob(f"*/{MANIFEST}"):
            with contextlib.suppress(errors.Damaged):
                found.append(_read_point(path.parent))
    except OSError as exc:
        raise errors.not_read(folder, exc) from exc
    whole = [point for point in found if not point.name.endswith(PART)]
    return tuple(sorted(whole, key=lambda point: str(point.taken_at), reverse=True))


def checked_files(
    folder: Path, name: str, database: str, accounts: str
) -> tuple[Path, str, Mapping[str, Any]]:
    """The dump of a database, the text of the accounts, and the manifest.

    Both files are as they were when they were verified, or this raises `OutsideError`.
    """
    point = folder / check_name("service", name)
    try:
        known = _read_point(point).databases
        manifest = json.loads((point / MANIFEST).read_text())
        file = manifest["databases"].get(database)
        if file is None:
            raise errors.not_in_point(point.name, database, known)
        for part in (file, accounts):
            if _describe(point / part) != manifest["files"].get(part):
                raise errors.damaged(point.name, part)
        return point / file, (point / accounts).read_text(), manifest
    except OSError as exc:
        raise errors.not_read(point, exc) from exc


def file_name(database: str, ending: str = "dump") -> str:
    """A database may be called anything; a file may not."""
    return f"{quote(database, safe='')}.{ending}"


async def _write(folder: Path, final: Path, fill: Fill) -> None:
    _make_private(folder)
    _sweep(folder)
    part = Path(tempfile.mkdtemp(prefix=f"{final.name}-", suffix=PART, dir=folder))
    try:
        _write_manifest(part, await fill(part))
        _publish(part, final)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _sweep(folder: Path) -> None:
    """Remove what a killed dump left; what is young may be written by somebody now."""
    for path in folder.glob(f"*{PART}"):
        if time.time() - path.stat().st_mtime > PART_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _write_manifest(part: Path, facts: Mapping[str, Any]) -> None:
    files = {path.name: _describe(path) for path in sorted(part.iterdir())}
    path = part / MANIFEST
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({**facts, "files": files}, file, indent=2)


def _describe(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"size_bytes": path.stat().st_size, "sha256": digest}


def _publish(part: Path, final: Path) -> None:
    """All on disk first, then the name: a power cut leaves a `.part` or a whole restore point."""
    for path in (*part.iterdir(), part):
        sync(path)
    if final.is_dir():
        shutil.rmtree(final)  # without a manifest it never counted
    part.rename(final)
    sync(final.parent)


def _read_point(final: Path) -> RestorePoint:
    """Raises `Damaged` for a manifest that is not as it was written."""
    try:
        manifest = json.loads((final / MANIFEST).read_text())
        size_bytes = sum(file["size_bytes"] for file in manifest["files"].values())
        databases = tuple(dict(manifest["databases"]))
        taken_at = datetime.fromisoformat(manifest["taken_at"])
        container = str(manifest["container"])
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise errors.damaged(final.name, MANIFEST) from exc
    shown = ", ".join(databases)
    return RestorePoint(final.name, final, size_bytes, shown, databases, container, taken_at)
