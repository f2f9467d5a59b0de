"""Whether two answers are alike: the same status, kind and JSON shape; pure.

Values may differ, because time goes on between two requests; what a client relies on may not: which
keys there are and what kind of value each has. `null` and an empty list fit everything.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from berthmaster.domain.probing import ProbeResult
from berthmaster.domain.spec import ParitySpec

SHOWN: Final = 8  # differences of one answer that are named
_JSON: Final = ("application/json", "+json")
Shape = Mapping[tuple[str, ...], frozenset[str]]  # by path: the kinds of value there


@dataclass(frozen=True, slots=True)
class Parity:
    """One request and how both answered it."""

    request: str
    production: str
    rehearsal: str
    differences: tuple[str, ...] = ()


def compare_answers(spec: ParitySpec, ours: ProbeResult, theirs: ProbeResult) -> Parity:
    """Compare what production (`ours`) and its copy (`theirs`) answered to the same request."""
    found = list(_differences(spec, ours, theirs))
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return Parity(spec.name, _in_short(ours), _in_short(theirs), (*found[:SHOWN], *more))


def _in_short(answer: ProbeResult) -> str:
    if answer.status is None:
        return "no answer"
    kind = f" {answer.media_type}" if answer.media_type else ""
    return f"{answer.status}{kind}"


def _differences(spec: ParitySpec, ours: ProbeResult, theirs: ProbeResult) -> Iterator[str]:
    for who, answer in (("production", ours), ("the rehearsal", theirs)):
        if answer.status is None:
            yield f"{who}: {answer.error}"
    if ours.status is None or theirs.status is None:
        return
    if ours.status != theirs.status:
        yield f"status {ours.status} in production, {theirs.status} in the rehearsal"
        return
    if ours.media_type != theirs.media_type:
        yield f"{ours.media_type} in production, {theirs.media_type} in the rehearsal"
        return
    if _target(ours) != _target(theirs):
        yield f"redirects to {_target(ours)} in production, {_target(theirs)} in the rehearsal"
    if ours.media_type.endswith(_JSON) and spec.method != "HEAD":
        yield from _json_differences(spec, ours.body, theirs.body)


def _target(answer: ProbeResult) -> str:
    """Where it redirects to, without the host: each has its own."""
    return urlsplit(answer.location or "").path


def _json_differences(spec: ParitySpec, ours: str, theirs: str) -> Iterator[str]:
    shapes = list[Shape]()
    for who, body in (("production", ours), ("the rehearsal", theirs)):
        try:
            shapes.append(shape_of(body))
        except ValueError:
            yield f"{who}: is not JSON, or longer than what is read of it (64 KiB)"
    if len(shapes) == 2:
        yield from compare_shapes(shapes[0], shapes[1], spec.ignore)


def compare_shapes(ours: Shape, theirs: Shape, ignore: tuple[str, ...] = ()) -> Iterator[str]:
    """Name each part of the JSON that only one has, or that is of another kind."""
    masks = [tuple(item.split(".")) for item in ignore]
    for path in sorted(ours.keys() | theirs.keys()):
        if any(_fits(path, mask) for mask in masks):
            continue
        name = ".".join(path) or "the whole"
        if path in ours and path in theirs:
            one, other = ours[path] - {"null"}, theirs[path] - {"null"}
            if one and other and not one & other:
                yield f"{name}: {_words(one)} in production, {_words(other)} in the rehearsal"
        elif _is_comparable(path, ours if path not in ours else theirs):
            where = "production" if path in ours else "the rehearsal"
            yield f"{name}: only in {where}"


def shape_of(text: str) -> Shape:
    """The shape of JSON text; raises `ValueError`."""
    return _shape(json.loads(text))


def _shape(value: Any) -> Shape:
    found: dict[tuple[str, ...], frozenset[str]] = {}
    for path, kind in _kinds(value, ()):
        found[path] = found.get(path, frozenset()) | {kind}
    return found


def _kinds(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    yield path, _kind(value)
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _kinds(item, (*path, name))
    elif isinstance(value, list):
        for item in value:
            yield from _kinds(item, (*path, "*"))


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "an object" if isinstance(value, dict) else "a list"


def _is_comparable(path: tuple[str, ...], other: Shape) -> bool:
    """Whether the answer that lacks it has the place where it would be."""
    if not path:
        return True
    parent = other.get(path[:-1], frozenset())
    return "an object" in parent if path[-1] != "*" else False


def _fits(path: tuple[str, ...], mask: tuple[str, ...]) -> bool:
    """Whether a path is the masked part or lies in it; `*` is any one part."""
    begin = path[: len(mask)]
    pairs = zip(begin, mask, strict=False)
    return len(begin) == len(mask) and all(want in ("*", part) for part, want in pairs)


def _words(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds))
