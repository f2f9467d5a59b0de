"""Services of an overlay that take the places of others: `mod_api` becomes `web`, with its name.

So a new layout of an app runs, is rehearsed and is rolled back under the names that routes, jobs
and people know. Pure; a service that keeps data stays as it was: the overlay's own never replaces
it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.spec import AppSpec, Role
from berthmaster.planner import composemodel as compose
from berthmaster.planner.roles import guess_roles

_END: Final = r"(?=[:/?,]|\Z)"  # of a host in a value
_BEGIN: Final = r"(?:\A|(?<=//)|(?<=[@,]))"
_WORDS: Final = ("command", "entrypoint")


def put_in_place(
    model: Mapping[str, Any],
    renames: Mapping[str, str],
    spec: AppSpec,
    versioned: frozenset[str] = frozenset(),
) -> tuple[Mapping[str, Any], frozenset[str]]:
    """The model in which each service of `renames` has the other's name; and `versioned` likewise.

    Raises `InvalidSpec` for a service that no Compose file has.
    """
    if not renames:
        return model, versioned
    services = dict(compose.services_of(model))
    if missing := sorted(renames.keys() - services.keys()):
        raise InvalidSpec(
            f"`map` names {missing[0]}, which no Compose file has (they have: "
            f"{', '.join(services)})",
            location="berth.yaml",
        )
    keep = _state(model, spec, versioned)
    placed = {name: item for name, item in services.items() if name not in renames}
    for name, other in renames.items():
        if other not in keep:
            placed[other] = services[name]
    changed = {name: _renamed(name, item, renames) for name, item in placed.items()}
    others = {name for name in versioned if name not in (*renames, *renames.values())}
    moved = {other for name, other in renames.items() if name in versioned and other not in keep}
    kept = {name for name in versioned if name in keep}
    return {**model, "services": changed}, frozenset(others | moved | kept)


def _state(model: Mapping[str, Any], spec: AppSpec, versioned: frozenset[str]) -> frozenset[str]:
    """Services that keep data, as the files have them without the overlay's names."""
    decided = guess_roles(model, spec, versioned)
    return frozenset(item.service for item in decided if item.role is Role.STATE)


def _renamed(name: str, service: Mapping[str, Any], renames: Mapping[str, str]) -> dict[str, Any]:
    """A service that knows the others by their new names."""
    found = dict(service)
    after = found.get("depends_on")
    if isinstance(after, Mapping):
        waits = {renames.get(key, key): item for key, item in after.items()}
        found["depends_on"] = {key: item for key, item in waits.items() if key != name}
    mode = str(found.get("network_mode") or "")
    if mode.startswith("service:"):
        other = mode.removeprefix("service:")
        found["network_mode"] = f"service:{renames.get(other, other)}"
    values = found.get("environment")
    if isinstance(values, Mapping):
        found["environment"] = {key: _addressed(item, renames) for key, item in values.items()}
    for key in _WORDS:
        words = found.get(key)
        if isinstance(words, list):
            found[key] = [_addressed(item, renames) for item in words]
    return found


def _addressed(value: Any, renames: Mapping[str, str]) -> Any:
    """A value that is, or holds, the host name of a service: `postgres://a:b@mod_db:5432/x`."""
    if not isinstance(value, str):
        return value
    for name, other in renames.items():
        if name in value:
            value = re.sub(f"{_BEGIN}{re.escape(name)}{_END}", other, value)
    return value
