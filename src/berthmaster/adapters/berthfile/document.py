"""YAML text to plain data plus the line of every key, without running anything the text asks for.

The node graph is converted by hand: tags construct no objects, aliases are counted (a few lines can
expand to gigabytes), nesting and size are limited, and a key that is written twice is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from berthmaster.domain.errors import InvalidSpec

MAX_BYTES: Final = 1_000_000  # the largest Compose files in public use are a tenth of it
MAX_DEPTH: Final = 40
MAX_NODES: Final = 100_000  # after aliases are expanded

Path_ = tuple[str | int, ...]

_PLAIN_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str")
)
_SCALARS: Final = YAML(typ="safe", pure=True)  # only asked for the value of plain scalars


@dataclass(slots=True)
class Document:
    """A file's data and where each part of it is written."""

    name: str  # for messages, relative to the app's folder
    data: Any = None
    lines: dict[Path_, int] = field(default_factory=dict)
    _count: int = 0

    def location(self, path: Path_) -> str:
        """`file:line` of a key, or of the nearest key above it that is written in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}:{self.lines.get(path, 1)}"

    def error(self, message: str, path: Path_ = ()) -> InvalidSpec:
        """An error that points at a key."""
        return InvalidSpec(message, location=self.location(path))


def read_document(path: Path, name: str) -> Document:
    """Read a YAML file; raises `InvalidSpec` with the line for anything that is wrong with its
    form.
    """
    return parse_document(read_text(path, name), name)


def read_text(path: Path, name: str) -> str:
    """The file's text; raises `InvalidSpec` when it is missing, too large or not UTF-8."""
    try:
        if not path.is_file():  # a pipe would be waited on for ever
            raise InvalidSpec("no such file", location=name)
        if path.stat().st_size > MAX_BYTES:
            raise InvalidSpec(f"the file is larger than {MAX_BYTES // 1000} kB", location=name)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSpec(f"cannot be read as text: {error}", location=name) from error


def parse_document(text: str, name: str) -> Document:
    """Turn YAML text into a `Document`; raises `InvalidSpec` as `read_document` does."""
    document = Document(name)
    if len(text) > MAX_BYTES:
        raise InvalidSpec(f"the file is larger than {MAX_BYTES // 1000} kB", location=name)
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InvalidSpec(f"not valid YAML: {error.problem}", location=f"{name}:{line}") from error
    except YAMLError as error:
        raise InvalidSpec(f"not valid YAML: {error}", location=name) from error
    except RecursionError as error:
        raise InvalidSpec(f"nested deeper than {MAX_DEPTH} levels", location=name) from error
    try:
        document.data = None if node is None else _convert(node, (), document)
    except RecursionError as error:  # `&a {<<: *a}`
        raise InvalidSpec("an alias contains itself", location=name) from error
    return document


def _convert(node: Node, path: Path_, document: Document) -> Any:
    line = node.start_mark.line + 1
    document._count += 1
    if document._count > MAX_NODES:
        raise InvalidSpec(
            f"its aliases expand to more than {MAX_NODES} values",
            location=f"{document.name}:{line}",
        )
    if len(path) > MAX_DEPTH:
        raise InvalidSpec(
            f"nested deeper than {MAX_DEPTH} levels", location=f"{document.name}:{line}"
        )
    document.lines.setdefault(path, line)
    if isinstance(node, MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, SequenceNode):
        return [
            _convert(item, (*path, position), document) for position, item in enumerate(node.value)
        ]
    return _scalar(node)


def _mapping(node: MappingNode, path: Path_, document: Document) -> dict[str, Any]:
    own: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _scalar(key_node) if isinstance(key_node, ScalarNode) else None
        line = key_node.start_mark.line + 1
        if key == "<<":
            merged = {**_merge(value_node, path, document), **merged}
            continue
        if not isinstance(key, str | int | float | bool):
            raise InvalidSpec("a key must be plain text", location=f"{document.name}:{line}")
        name = key if isinstance(key, str) else str(key_node.value)
        if name in own:
            raise InvalidSpec(f"`{name}` is written twice", location=f"{document.name}:{line}")
        document.lines[(*path, name)] = line
        if value_node.tag == "!reset":  # Compose: take out what earlier files said
            continue
        own[name] = _convert(value_node, (*path, name), document)
    return {**merged, **own}


def _merge(node: Node, path: Path_, document: Document) -> dict[str, Any]:
    nodes = node.value if isinstance(node, SequenceNode) else [node]
    found: dict[str, Any] = {}
    for item in nodes:
        if not isinstance(item, MappingNode):
            raise document.error("`<<` merges only mappings", path)
        value = _convert(item, path, document)
        found = {**value, **found}
    return found


def _scalar(node: Node) -> Any:
    tag = str(node.tag)
    if tag not in _PLAIN_TAGS:
        return str(node.value)
    try:
        # NOTE: not construct_object, which keeps every node that it was ever asked for.
        return _SCALARS.constructor.construct_non_recursive_object(node)
    except ValueError:  # a number that Python refuses to read
        return str(node.value)


def mapping_or_empty(value: Any) -> Mapping[str, Any]:
    """The value when it is a mapping, else an empty one: for looking into files that were not
    checked.
    """
    return value if isinstance(value, dict) else {}


def is_inside(root: Path, path: Path) -> bool:
    """Whether a path stays below `root` once its links are followed; a circle of links does not."""
    try:
        return path.resolve().is_relative_to(root)
    except (RuntimeError, OSError, ValueError):  # ValueError: NUL
        return False
