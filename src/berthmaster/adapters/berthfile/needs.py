"""Which values the Compose files of an environment ask for, as they are written.

Read from the files and not from what Compose renders, because rendering stops at the first value
that is missing, and because only the files know the line. What a value means is not decided here.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.berthfile.compose_files import ComposeFile, listed, read_compose_files
from berthmaster.adapters.berthfile.convert import environment_of
from berthmaster.adapters.berthfile.document import Path_, mapping_or_empty
from berthmaster.domain.secret import Delivery, Need
from berthmaster.domain.spec import AppSpec

_START: Final = re.compile(r"\$(?:\$|(\w+)|\{(\w+)(:?[-?+])?)")
_FILLED: Final = ("networks", "volumes", "configs", "secrets")  # sections beside the services


def needs_of(spec: AppSpec, environment: str) -> tuple[Need, ...]:
    """Every secret that a service mounts and every variable that is interpolated, by name.

    Services of profiles that are off ask for nothing.
    """
    there = environment_of(spec, environment)
    files = read_compose_files(Path(spec.folder), there.compose)
    asleep = _asleep(files, there.profiles)
    found: dict[tuple[Delivery, str], Need] = {}
    for need in (*_mounted(files, asleep), *_variables(files, asleep)):
        key = (need.delivery, need.name)
        found[key] = _joined(found[key], need) if key in found else need
    return tuple(found[key] for key in sorted(found))


def interpolated(text: str) -> Iterator[tuple[str, str | None]]:
    """Each variable of a Compose value with its default; None when it must be set."""
    for match in _START.finditer(text):
        plain, braced, operator = match.groups()
        if plain:
            yield plain, None
        elif braced and not operator:
            yield braced, None
        elif braced:
            yield braced, _default(operator, text[match.end() :])


def _default(operator: str, rest: str) -> str | None:
    if operator.endswith("?"):
        return None
    depth = 1
    for position, char in enumerate(rest):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            default = rest[:position]
            return "" if operator.endswith("+") or "$" in default else default
    return ""


def _asleep(files: Iterable[ComposeFile], profiles: Iterable[str]) -> frozenset[str]:
    written: dict[str, list[Any]] = {}
    for file in files:
        for name, service in file.services.items():
            own = mapping_or_empty(service)
            if "profiles" in own:
                written[name] = listed(own["profiles"])
    on = set(profiles)
    return frozenset(name for name, own in written.items() if own and not on.intersection(own))


def _mounted(files: list[ComposeFile], asleep: frozenset[str]) -> Iterator[Need]:
    """Secrets that a service mounts; those that nobody mounts need no value."""
    declared: dict[str, tuple[Mapping[str, Any], ComposeFile]] = {}
    for file in files:
        for name, item in mapping_or_empty(
            mapping_or_empty(file.document.data).get("secrets")
        ).items():
            declared[name] = (mapping_or_empty(item), file)
    for file in files:
        for service, name in _uses(file, asleep):
            item, home = declared.get(name, ({}, file))
            at = home.document.location(("secrets", name))
            if "environment" in item:
                variable = str(item["environment"])
                yield Need(variable, Delivery.VARIABLE, at, (service,), is_named_secret=True)
            elif not item.get("external") and "content" not in item:
                uids = _uids(file.services[service])
                path = _path(home, item)
                yield Need(name, Delivery.FILE, at, (service,), file=path, uids=uids)


def _uses(file: ComposeFile, asleep: frozenset[str]) -> Iterator[tuple[str, str]]:
    for service, item in file.services.items():
        if service in asleep:
            continue
        for use in listed(mapping_or_empty(item).get("secrets")):
            name = use.get("source") if isinstance(use, dict) else use
            if isinstance(name, str):
                yield service, name


def _uids(service: Any) -> tuple[int, ...]:
    user = str(mapping_or_empty(service).get("user") or "").partition(":")[0]
    return (int(user),) if user.isdecimal() and len(user) < 10 else ()


def _path(home: ComposeFile, item: Mapping[str, Any]) -> str | None:
    name = item.get("file")
    if not isinstance(name, str) or "$" in name:
        return None
    return os.path.normpath(Path(home.path).parent / name)


def _variables(files: list[ComposeFile], asleep: frozenset[str]) -> Iterator[Need]:
    for position, file in enumerate(files):
        data = mapping_or_empty(file.document.data)
        later = files[position + 1 :]
        parts: list[tuple[Path_, Any, tuple[str, ...]]] = [
            (("services", name), item, (name,))
            for name, item in file.services.items()
            if name not in asleep
        ]
        parts += [((section,), data.get(section), ()) for section in _FILLED]
        for at, item, services in parts:
            for where, name, default in _in(item, at):
                if default is not None and _is_replaced(where, later):
                    continue  # Compose fills it in, and a later file takes it out again
                location = file.document.location(where)
                use = _use(data, where)
                yield Need(name, Delivery.VARIABLE, location, services, default, uses=(use,))
        for service, item in file.services.items():
            if service not in asleep:
                yield from _passed_on(file, service, mapping_or_empty(item).get("environment"))


def _in(value: Any, at: Path_) -> Iterator[tuple[Path_, str, str | None]]:
    if isinstance(value, str):
        for name, default in interpolated(value):
            yield at, name, default
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _in(item, (*at, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _in(item, (*at, position))


def _is_replaced(where: Path_, later: Iterable[ComposeFile]) -> bool:
    """Whether a later file has another value there, or `!reset`."""
    if where[:1] != ("services",) or len(where) < 3 or any(isinstance(key, int) for key in where):
        return False
    return any(where in file.document.lines for file in later)


def _use(data: Mapping[str, Any], where: Path_) -> str:
    """`db.environment.NAME`, whether the environment is a mapping or a list."""
    _, *rest = where
    if len(rest) == 3 and rest[1] == "environment" and isinstance(rest[2], int):
        entries = mapping_or_empty(mapping_or_empty(data.get("services")).get(str(rest[0])))
        rest[2] = str(listed(entries.get("environment"))[rest[2]]).partition("=")[0]
    return ".".join(map(str, rest))


def _passed_on(file: ComposeFile, service: str, environment: Any) -> Iterator[Need]:
    """`environment: [NAME]` takes a value when there is one, and none is fine with Compose."""
    names = (
        [name for name, value in environment.items() if value is None]
        if isinstance(environment, dict)
        else [str(item) for item in listed(environment) if "=" not in str(item)]
    )
    at = file.document.location(("services", service, "environment"))
    for name in names:
        use = f"{service}.environment.{name}"
        yield Need(name, Delivery.VARIABLE, at, (service,), "", uses=(use,))


def _joined(one: Need, other: Need) -> Need:
    """Asked for twice: without a default if one of them has none."""
    strict = one if one.default is None or other.default is not None else other
    services = tuple(sorted({*one.services, *other.services}))
    return Need(
        one.name,
        one.delivery,
        strict.location,
        services,
        strict.default,
        one.file or other.file,
        one.is_named_secret or other.is_named_secret,
        tuple(sorted({*one.uses, *other.uses})),
        tuple(sorted({*one.uids, *other.uids})),
    )
