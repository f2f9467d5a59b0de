"""What a service may use at most, put into its model; a PostgreSQL gets settings that fit.

A server with hundreds of small databases needs each of them small: with 20 connections and 16 MB
of shared buffers an idle one took 13 MB, an untouched one 27 (PostgreSQL 15, while designing).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.spec import Limits
from berthmaster.planner.majors import database_version

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)([kmg]?)b?\Z")
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SMALLEST_MB: Final = 16
_LARGEST_MB: Final = 2048
_SHARE: Final = 8  # of the memory that shared buffers may take
_WAL: Final = ("max_wal_size=256MB", "min_wal_size=32MB")  # disk that an idle one holds on to


def set_limits(service: dict[str, Any], limits: Limits, reference: str) -> None:
    """Put limits into a service; they win over its own, in both spellings."""
    wanted = {
        key: value
        for key, value in (("cpus", _text(limits.cpus)), ("memory", limits.memory))
        if value is not None
    }
    if wanted:
        deploy = dict(service.get("deploy") or {})
        resources = dict(deploy.get("resources") or {})
        resources["limits"] = {**(resources.get("limits") or {}), **wanted}
        resources["reservations"] = _without(resources.get("reservations"), wanted)
        deploy["resources"] = {key: value for key, value in resources.items() if value}
        service["deploy"] = deploy
    if limits.cpus is not None:
        service.pop("cpus", None)
    if limits.memory is not None:
        for key in ("mem_limit", "mem_reservation", "memswap_limit"):
            service.pop(key, None)
    options = postgres_options(limits, reference)
    if options:
        service["command"] = [*_command(service.get("command")), *options]


def check_connections(name: str, limits: Limits, reference: str) -> None:
    """Raise `InvalidSpec` where nothing would keep the limit: it would be ignored in silence."""
    if not postgres_options(limits, reference):
        raise InvalidSpec(
            f"resources of {name}: `connections` is for a PostgreSQL or a routed service, and"
            f" {name} ({reference}) is neither"
        )


def postgres_options(limits: Limits, reference: str) -> tuple[str, ...]:
    """Arguments for a PostgreSQL with these limits; none for anything else.

    The last word counts, so they win over what the Compose file says.
    """
    version = database_version(reference, {})
    if version is None or version.family != "postgres" or limits.connections is None:
        return ()
    found = (f"max_connections={limits.connections}", f"shared_buffers={_buffers(limits)}MB", *_WAL)
    return tuple(part for one in found for part in ("-c", one))


def bytes_of(text: str) -> int:
    """`512m` in bytes."""
    match = _SIZE.match(text.lower())
    return int(float(match.group(1)) * _UNITS[match.group(2)]) if match else 0


def _buffers(limits: Limits) -> int:
    if limits.memory is None:
        return _SMALLEST_MB
    share = bytes_of(limits.memory) // _SHARE // (1 << 20)
    return max(_SMALLEST_MB, min(share, _LARGEST_MB))


def _command(written: Any) -> list[str]:
    """The arguments so far; an image without a command runs `postgres`."""
    if written is None:
        return ["postgres"]
    return [str(part) for part in written] if isinstance(written, list) else [str(written)]


def _without(reserved: Any, limited: Mapping[str, Any]) -> dict[str, Any]:
    """A reservation above a limit is refused by the engine."""
    return {key: value for key, value in (reserved or {}).items() if key not in limited}


def _text(cpus: float | None) -> str | None:
    return None if cpus is None else f"{cpus:g}"
