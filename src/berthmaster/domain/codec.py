"""Frozen dataclasses to plain JSON values and back, for the store and `--json`.

A member of a union is tagged with its class name, so that a stored plan reads back as the same
actions. Only what the domain uses is understood; anything else is a `Bug`.
"""

import base64
import enum
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any, Final, get_args, get_origin

from berthmaster.domain.errors import Bug

Read = Callable[[Any], Any]
_PLAIN: Final = frozenset({str, int, float, bool, types.NoneType})


def encode(value: Any) -> Any:
    """Turn a value of the domain into JSON-able data."""
    kind: Any = type(value)
    if kind in _PLAIN:  # nearly always
        return value
    names = _names(kind)
    if names is not None:
        return {"type": kind.__name__, **{name: encode(getattr(value, name)) for name in names}}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [encode(item) for item in value]
    return value


def decode(wanted: Any, data: Any) -> Any:
    """Read `encode`'s output back as `wanted`; raises `Bug` when it does not fit."""
    return _reader(wanted)(data)


@cache
def _reader(wanted: Any) -> Read:
    """How a type is read: found once, because a stored release has thousands of values."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (typing.Union, types.UnionType):
        return partial(_decode_union, arguments)
    if origin in (tuple, frozenset):
        return partial(_decode_items, origin, arguments[0])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return partial(_decode_mapping, arguments[1])
    if not isinstance(wanted, type) or origin is not None:
        return _as_it_is
    return _plain_reader(wanted)


def _plain_reader(wanted: type) -> Read:
    if is_dataclass(wanted):
        return partial(_decode_fields, wanted)
    if issubclass(wanted, enum.Enum):
        return wanted
    if issubclass(wanted, datetime):
        return datetime.fromisoformat
    return base64.b64decode if issubclass(wanted, bytes) else _as_it_is


def _decode_union(members: tuple[Any, ...], data: Any) -> Any:
    if data is None:
        return None
    tag = data.get("type") if isinstance(data, dict) else None
    for member in members:
        if tag is not None and getattr(member, "__name__", None) == tag:
            return decode(member, data)
    rest = [member for member in members if member is not types.NoneType]
    if len(rest) == 1:
        return decode(rest[0], data)
    if tag is None:
        return data
    raise Bug(f"stored data of type {tag!r} is not known to this version")


def _decode_items(wanted: type, item: Any, data: Any) -> Any:
    return wanted(map(_reader(item), data))


def _decode_mapping(item: Any, data: Any) -> Any:
    read = _reader(item)
    return {key: read(value) for key, value in data.items()}


def _decode_fields(wanted: type, data: Any) -> Any:
    readers = _field_readers(wanted)
    return wanted(**{name: read(data[name]) for name, read in readers.items() if name in data})


def _as_it_is(data: Any) -> Any:
    return data


@cache
def _field_readers(wanted: type) -> dict[str, Read]:
    """Not before it is needed: a class may hold others of its own kind."""
    hints = typing.get_type_hints(wanted)
    return {item.name: _reader(hints[item.name]) for item in fields(wanted)}


@cache
def _names(kind: Any) -> tuple[str, ...] | None:
    return tuple(item.name for item in fields(kind)) if is_dataclass(kind) else None
