"""The files that a command on another server needs of this folder: what deploys read, no more.

That are the inputs that a fingerprint hashes, of the environments that live on that server: secrets
of another server's environment stay here.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from typing import Any, Final

from berthmaster.adapters.berthfile.compose_files import listed, read_compose_files
from berthmaster.adapters.berthfile.document import mapping_or_empty
from berthmaster.adapters.berthfile.inputs import artifact_inputs, input_paths, is_compiled
from berthmaster.adapters.berthfile.versions import CATALOGUE_PLACES
from berthmaster.domain.elsewhere import SentFile
from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.freeze import FREEZE_FILE
from berthmaster.domain.spec import AppSpec

ALWAYS: Final = (FREEZE_FILE, *CATALOGUE_PLACES)
_OVERLAYS: Final = ("*compose*.yaml", "*compose*.yml")  # that `berth rehearse` may be given


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is sent, and where each content lies here."""

    files: tuple[SentFile, ...]
    sources: Mapping[str, Path]  # by digest


def bundle(spec: AppSpec, environments: Iterable[str]) -> Bundle:
    """Collect and hash the files; raises `InvalidSpec` for one that cannot be taken along."""
    there = sorted(environments)
    for environment in there:
        _refuse_written_folders(spec, environment)
    paths = {*artifact_inputs(spec), *ALWAYS, *spec.rehearsal.compose}
    paths |= {item.name for mask in _OVERLAYS for item in Path(spec.folder).glob(mask)}
    for environment in there:
        paths |= set(input_paths(spec, environment))
    folder = Path(spec.folder)
    entries: dict[str, SentFile] = {}
    sources: dict[str, Path] = {}
    for path in sorted(map(os.path.normpath, paths)):
        for entry in _entries(folder, path):
            entries[entry.path] = entry
            if entry.link is None:
                sources[entry.digest] = folder / entry.path
    return Bundle(tuple(entries[path] for path in sorted(entries)), sources)


def _entries(folder: Path, path: str) -> Iterator[SentFile]:
    """A file, a link, or everything below a folder; nothing for what is not there."""
    here = folder / path
    if PurePosixPath(path).is_absolute() or path.startswith(".."):
        if here.exists():
            raise InvalidSpec(f"{path} lies outside the app's folder and cannot be sent")
        return
    if here.is_symlink():
        yield _link(folder, path)
    elif here.is_dir():
        for name in sorted(os.listdir(here)):
            if not is_compiled(here / name):
                yield from _entries(folder, os.path.normpath(f"{path}/{name}"))
    elif here.is_file():
        yield single_file(here, path)


def single_file(here: Path, path: str) -> SentFile:
    """One file as it is sent, under this name."""
    with here.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        found = os.fstat(file.fileno())
    return SentFile(path, found.st_mode & 0o777, digest, found.st_size)


def _link(folder: Path, path: str) -> SentFile:
    """A link goes along as it is when what it names is inside the folder."""
    target = os.readlink(folder / path)
    inside = os.path.normpath(PurePosixPath(path).parent / target)
    if os.path.isabs(target) or inside.startswith(".."):
        raise InvalidSpec(f"the link {path} leads out of the app's folder and cannot be sent")
    return SentFile(path, link=target)


def _refuse_written_folders(spec: AppSpec, environment: str) -> None:
    """What a service writes beside the Compose files would be lost with the next bundle."""
    files = read_compose_files(Path(spec.folder), spec.environments[environment].compose)
    for file in files:
        for name, service in file.services.items():
            for mount in listed(mapping_or_empty(service).get("volumes")):
                source = _written(mount)
                if source and not os.path.isabs(source):
                    raise InvalidSpec(
                        f"{name} writes to {source} beside the Compose files, and on a server there"
                        " is no such folder: use a named volume",
                        location=file.document.location(("services", name, "volumes")),
                    )


def _written(mount: Any) -> str | None:
    """The folder of a bind that is not read-only."""
    if isinstance(mount, dict):
        is_bind = mount.get("type") == "bind" and not mount.get("read_only")
        source = str(mount.get("source") or "") if is_bind else ""
    else:
        parts = str(mount).split(":")
        is_only_read = len(parts) > 2 and "ro" in parts[2].split(",")
        source = parts[0] if len(parts) > 1 and not is_only_read else ""
    return source if source.startswith((".", "/")) else None
