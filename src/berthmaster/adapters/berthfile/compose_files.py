"""Looking into Compose files as they are written: their form, and which files they bring along.

What a file *means* is said by `docker compose config` alone; here only keys, types and file names
are read, so that an error has a line and a file outside the app's folder is refused before Compose
opens it.
"""

import json
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from berthmaster.adapters.berthfile import problems
from berthmaster.adapters.berthfile.document import (
    Document,
    Path_,
    is_inside,
    mapping_or_empty,
    parse_document,
    read_text,
)

_TAG_VARIABLE: Final = re.compile(r":\$\{?([A-Za-z_][A-Za-z0-9_]*)(?:[:?+-][^}]*)?\}?\Z")
_REMOTE: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*://|git@|oci:|github\.com/)")


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """One file of the app, read."""

    path: str  # relative to the app's folder
    document: Document

    @property
    def services(self) -> Mapping[str, Any]:
        """Its services by name, as written."""
        return mapping_or_empty(mapping_or_empty(self.document.data).get("services"))


def check_compose_files(folder: Path, files: Iterable[str]) -> None:
    """Check form and file names of Compose files and of all they bring; raises `InvalidSpec`."""
    for file in read_compose_files(folder, files):
        _check_form(file.document)
        for at, name in _env_files(file):
            _inside(folder, file, name, at)


def read_compose_files(folder: Path, files: Iterable[str]) -> list[ComposeFile]:
    """These files and, before each, what it includes or extends.

    Raises `InvalidSpec` when one leaves the app's folder.
    """
    found: dict[str, ComposeFile] = {}
    for name in files:
        _read(folder, name, found)
    return list(found.values())


def _read(folder: Path, name: str, found: dict[str, ComposeFile]) -> None:
    if name in found:
        return
    file = ComposeFile(name, _parsed(read_text(folder / name, name), name))
    found[name] = file  # before its own includes: files may name each other
    for at, other in _brought(file):
        _read(folder, _inside(folder, file, other, at), found)
    found[name] = found.pop(name)


@lru_cache(maxsize=16)
def _parsed(text: str, name: str) -> Document:
    """Two hundred stacks of one app have the same files; nobody changes a document.

    Only a few are kept: one of 4 kB takes 50 kB.
    """
    return parse_document(text, name)


def _brought(file: ComposeFile) -> Iterator[tuple[Path_, str]]:
    data = mapping_or_empty(file.document.data)
    for position, item in enumerate(listed(data.get("include"))):
        paths = listed(item.get("path")) if isinstance(item, dict) else [item]
        for path in paths:
            yield ("include", position), str(path)
    for name, service in file.services.items():
        extends = mapping_or_empty(mapping_or_empty(service).get("extends"))
        if "file" in extends:
            yield ("services", name, "extends"), str(extends["file"])


def _env_files(file: ComposeFile) -> Iterator[tuple[Path_, str]]:
    for name, service in file.services.items():
        for item in listed(mapping_or_empty(service).get("env_file")):
            path = item.get("path") if isinstance(item, dict) else item
            if path is not None:
                yield ("services", name, "env_file"), str(path)


def _inside(folder: Path, file: ComposeFile, name: str, at: Path_) -> str:
    """The path relative to the app's folder; what leaves it is refused."""
    if _REMOTE.match(name):
        raise file.document.error(f"{name} is not a local file: copy it into the app's folder", at)
    if "$" in name:  # Compose resolves it; the rendered model shows what it became
        return name
    path = Path(file.path).parent / name
    root = folder.resolve()
    if Path(name).is_absolute() or not is_inside(root, folder / path):
        raise file.document.error(f"{name} lies outside the app's folder", at)
    return (folder / path).resolve().relative_to(root).as_posix()


def listed(value: Any) -> list[Any]:
    """A value that may be one item, a list or nothing, as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _check_form(document: Document) -> None:
    if not isinstance(document.data, dict):
        raise document.error("a Compose file must be a mapping with `services`")
    found: list[tuple[Path_, str]] = []
    for error in _validator().iter_errors(document.data):
        found += _explain(error)
    if found:
        raise problems.join_problems(document, list(dict(found).items()))


@cache
def _validator() -> Draft7Validator:
    text = resources.files(__package__).joinpath("compose_schema.json").read_text(encoding="utf-8")
    return Draft7Validator(json.loads(text))


def _explain(error: ValidationError) -> list[tuple[Path_, str]]:
    """A problem as (path, sentence) pairs; none when Compose interpolates the value first."""
    error = _deepest(error)
    path = tuple(error.absolute_path)
    if isinstance(error.instance, str) and "$" in error.instance:
        return []
    if error.validator == "additionalProperties":
        known = set(mapping_or_empty(mapping_or_empty(error.schema).get("properties")))
        patterns = mapping_or_empty(mapping_or_empty(error.schema).get("patternProperties"))
        keys = [
            str(key)
            for key in mapping_or_empty(error.instance)
            if key not in known and not any(re.search(pattern, key) for pattern in patterns)
        ]
        return [((*path, key), problems.unknown_key(key, known)) for key in keys]
    if error.validator == "type":
        wanted: Any = error.validator_value
        kinds = wanted if isinstance(wanted, str) else " or ".join(wanted)
        return [(path, f"`{problems.dotted(path)}` must be {kinds}, not {_kind(error.instance)}")]
    return [(path, f"`{problems.dotted(path)}`: {error.message[:200]}")]


def _deepest(error: ValidationError) -> ValidationError:
    """Of alternatives that all failed, the complaint of the one that got furthest."""
    while error.context:
        error = max(error.context, key=_closeness)
    return error


def _closeness(error: ValidationError) -> tuple[bool, int, bool]:
    """Alternatives that wanted another type say least; of the others, the deepest knows best."""
    is_own_type = error.validator != "type" or bool(error.path)
    return is_own_type, len(error.path), not error.context


def _kind(value: Any) -> str:
    """A value's type; the value itself may be a secret."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "nothing"}
    return names.get(type(value), "number")


def uses_variable(text: str, variable: str) -> bool:
    """Whether a Compose value interpolates this variable."""
    return re.search(rf"\$(?:{re.escape(variable)}\b|\{{{re.escape(variable)}\b)", text) is not None


def versioned_services(files: Iterable[ComposeFile], variable: str) -> frozenset[str]:
    """Services whose image, as the last file that names one says, interpolates the variable."""
    images = _images(files)
    return frozenset(name for name, image in images.items() if uses_variable(image, variable))


def tag_variables(files: Iterable[ComposeFile], services: Container[str]) -> tuple[str, ...]:
    """Variables that are the whole tag (`name:${TAG}`) of these services, commonest first."""
    found = Counter(
        match[1]
        for name, image in _images(files).items()
        if name in services and (match := _TAG_VARIABLE.search(image))
    )
    return tuple(name for name, _ in found.most_common())


def _images(files: Iterable[ComposeFile]) -> dict[str, str]:
    images: dict[str, str] = {}
    for file in files:
        for name, service in file.services.items():
            image = mapping_or_empty(service).get("image")
            if isinstance(image, str):
                images[name] = image
    return images


def place_of(files: Iterable[ComposeFile], service: str, key: str | None) -> str | None:
    """`compose.yaml:12`: the last place that says something of a service, or of one of its keys."""
    found = None
    for file in files:
        there = file.services.get(service)
        is_said = service in file.services if key is None else key in mapping_or_empty(there)
        if is_said:
            at: Path_ = ("services", service) if key is None else ("services", service, key)
            found = file.document.location(at)
    return found
