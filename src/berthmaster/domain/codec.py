"""Frozen dataclasses to plain JSON values and back, for the store and `--json`.

A member of a union is tagged with its class name, so that a stored plan reads back as the same
actions. Only what the domain uses is understood; anything else is a `Bug`.
"""

import base64
import enum
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

from berthmaster.domain.errors import Bug

T = TypeVar("T")


def encode(value: Any) -> Any:
    """Turn a value of the domain into JSON-able data."""
    if is_dataclass(value) and not isinstance(value, type):
        data = {item.name: encode(getattr(value, item.name)) for item in fields(value)}
        return {"type": type(value).__name__, **data}
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


def decode(wanted: type[T] | Any, data: Any) -> Any:
    """Read `encode`'s output back as `wanted`; raises `Bug` when it does not fit."""
    origin = get_origin(wanted)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(get_args(wanted), data)
    if origin is tuple:
        return tuple(decode(get_args(wanted)[0], item) for item in data)
    if origin is frozenset:
        return frozenset(decode(get_args(wanted)[0], item) for item in data)
    if origin is not None and issubclass(origin, Mapping):
        return {key: decode(get_args(wanted)[1], item) for key, item in data.items()}
    if origin is typing.Literal:
        return data
    if isinstance(wanted, type):
        return _decode_plain(wanted, data)
    return data


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


def _decode_plain(wanted: type, data: Any) -> Any:
    if is_dataclass(wanted):
        hints = _hints(wanted)
        return wanted(**{name: decode(hints[name], data[name]) for name in hints if name in data})
    if issubclass(wanted, enum.Enum):
        return wanted(data)
    if issubclass(wanted, datetime):
        return datetime.fromisoformat(data)
    if issubclass(wanted, bytes):
        return base64.b64decode(data)
    return data


@cache
def _hints(wanted: type) -> dict[str, Any]:
    names = {item.name for item in fields(wanted)}
    return {key: hint for key, hint in typing.get_type_hints(wanted).items() if key in names}
