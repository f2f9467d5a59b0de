"""Every file that a release depends on, and one hash over them.

Renders nothing and asks no registry, so that a deploy of two hundred unchanged stacks costs little.
It errs on the side of "changed": a path that interpolates a variable stands for the whole folder it
begins with.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import berthmaster
from berthmaster.adapters.berthfile.compose_files import ComposeFile, listed, read_compose_files
from berthmaster.adapters.berthfile.convert import environment_of
from berthmaster.adapters.berthfile.document import mapping_or_empty
from berthmaster.adapters.berthfile.read import FILE_NAME
from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.spec import AppSpec

_CHUNK: Final = 1 << 20


def fingerprint(spec: AppSpec, environment: str, options: Mapping[str, str]) -> str:
    """`sha256:...` over the content of every input, the options and the tool's version."""
    folder = Path(spec.folder)
    total = hashlib.sha256()
    head = [berthmaster.__version__, environment, dict(sorted(options.items()))]
    total.update(json.dumps(head).encode())
    for path in sorted(set(input_paths(spec, environment))):
        total.update(json.dumps([path, _hash(folder / path)]).encode())
    return f"sha256:{total.hexdigest()}"


def artifact_inputs(spec: AppSpec) -> dict[str, str]:
    """Hash by path of what is the same in every environment.

    That is `berth.yaml`, the Compose files of all environments with what they include, the configs
    and read-only binds that these name, and files of variables that two environments share
    (`versions.env`). An environment's own files (`.env*`, secrets) belong to its releases, and
    sites are told apart by content.
    """
    found = {FILE_NAME}
    shared = Counter(name for item in spec.environments.values() for name in item.env_file)
    found |= {name for name, count in shared.items() if count > 1 and not _is_own(spec, name)}
    for environment in spec.environments.values():
        found.update(environment.compose)
        for file in _readable(spec, environment.compose):
            found.add(file.path)
            paths = (fixed for name in _shared_by(file) if (fixed := _fixed_part(name)))
            found |= {os.path.normpath(Path(file.path).parent / path) for path in paths}
    folder = Path(spec.folder)
    kept = (path for path in found if not _is_own(spec, path))
    return {path: _hash(folder / path) for path in sorted(kept)}


def _readable(spec: AppSpec, names: tuple[str, ...]) -> list[ComposeFile]:
    """What includes and names files; a broken file of another environment stands for itself."""
    try:
        return read_compose_files(Path(spec.folder), names)
    except InvalidSpec:
        return []


def _is_own(spec: AppSpec, path: str) -> bool:
    """Whether a file is one environment's own: its variables, its secrets, or what holds these."""
    if Path(path).name.startswith(".env"):
        return True
    secrets = {"secrets", *(item.secrets for item in spec.environments.values() if item.secrets)}
    return any(_is_within(path, one) or _is_within(one, path) for one in secrets)


def _is_within(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


def input_paths(spec: AppSpec, environment: str) -> Iterator[str]:
    """Files and folders relative to the app's folder; some may not exist."""
    there = environment_of(spec, environment)
    files = read_compose_files(Path(spec.folder), there.compose)
    yield FILE_NAME
    yield from there.env_file
    yield from (there.secrets,) if there.secrets else ()
    yield from (site.folder for site in spec.sites)
    for file in files:
        yield file.path
        for name in _named_by(file):
            fixed = _fixed_part(name)
            if fixed is not None:
                yield os.path.normpath(Path(file.path).parent / fixed)


def _named_by(file: ComposeFile) -> Iterator[str]:
    yield from _files_of(file, "secrets")
    for service in map(mapping_or_empty, file.services.values()):
        for item in listed(service.get("env_file")):
            yield from _text(item.get("path") if isinstance(item, dict) else item)
    yield from _shared_by(file)


def _shared_by(file: ComposeFile) -> Iterator[str]:
    """Configs and read-only binds: part of the program, as far as a deployment goes."""
    yield from _files_of(file, "configs")
    for service in map(mapping_or_empty, file.services.values()):
        for item in listed(service.get("volumes")):
            yield from _read_only_bind(item)


def _files_of(file: ComposeFile, section: str) -> Iterator[str]:
    for item in mapping_or_empty(mapping_or_empty(file.document.data).get(section)).values():
        yield from _text(mapping_or_empty(item).get("file"))


def _read_only_bind(item: Any) -> Iterator[str]:
    if isinstance(item, dict):
        if item.get("type") == "bind" and item.get("read_only"):
            yield from _text(item.get("source"))
        return
    parts = str(item).split(":")
    if len(parts) == 3 and "ro" in parts[2].split(",") and parts[0].startswith((".", "/", "$")):
        yield parts[0]


def _fixed_part(name: str) -> str | None:
    """The folder before the first interpolation; None when nothing is left, or it leaves the
    folder.
    """
    fixed = name.split("$", 1)[0]
    if fixed != name:
        fixed = fixed.rpartition("/")[0]
    is_whole = os.path.normpath(fixed) == "." if fixed else True
    return None if is_whole or fixed.startswith("/") else fixed


def _text(value: Any) -> Iterable[str]:
    return (value,) if isinstance(value, str) else ()


def _hash(path: Path) -> str:
    """Of a file, a link, or everything below a folder; links are not followed out of it."""
    if path.is_symlink():
        target = os.readlink(path)
        return f"link {target} {_file_hash(path.resolve())}"
    if path.is_dir():
        entries = sorted(entry.name for entry in os.scandir(path) if not is_compiled(Path(entry)))
        below = "".join(json.dumps([name, _hash(path / name)]) for name in entries)
        return f"folder {hashlib.sha256(below.encode()).hexdigest()}"
    return _file_hash(path)


def is_compiled(path: Path) -> bool:
    """Whether Python made it from a file beside it: running tests is no change of the app."""
    return "__pycache__" in path.parts or path.suffix == ".pyc"


def _file_hash(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            digest = hashlib.sha256()
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
            return f"{os.fstat(stream.fileno()).st_mode & 0o111:o} {digest.hexdigest()}"
    except OSError as error:
        return f"unreadable {error.errno}"
