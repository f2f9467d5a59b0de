"""What changed from one release to another, for a person; pure.

Values of settings and secrets are compared and never shown: a line says `changed`, and nothing is
said of what stayed but how many.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from berthmaster.domain.release import Release, ReleaseService
from berthmaster.domain.sealed import SealedValues
from berthmaster.domain.spec import Role
from berthmaster.planner.artifact import changes
from berthmaster.planner.deploy import describe_routes
from berthmaster.planner.flat import flat
from berthmaster.planner.mirror import ABSENT


@dataclass(frozen=True, slots=True)
class Line:
    """One change."""

    section: str  # release, services, images, config, secrets, settings, routes, files
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A release and its opened values."""

    release: Release
    values: SealedValues


def compare_releases(old: Sealed, new: Sealed) -> tuple[Line, ...]:
    """Every change, in the order in which a person asks."""
    a, b = old.release, new.release
    return (
        *_named("release", _heads(a), _heads(b)),
        *_named("services", _roles(a), _roles(b)),
        *_named("images", _images(a), _images(b)),
        *_config(old, new),
        *_masked("secrets", _secrets(old), _secrets(new)),
        *_settings(a, b),
        *_routes(a, b),
        *(Line("files", *text.split(" ", 1)) for text in changes(a.inputs, b.inputs)),
    )


def _heads(release: Release) -> dict[str, str]:
    return {
        "artifact": release.artifact[:12],
        "revision": (release.revision or ABSENT)[:20],
        "tag": release.tag or ABSENT,
        "entrypoint": release.entrypoint,
        "hosts": ", ".join(release.hosts) or ABSENT,
    }


def _roles(release: Release) -> dict[str, str]:
    return {item.name: _role(item) for item in release.services}


def _role(item: ReleaseService) -> str:
    count = len(item.containers)
    return f"{item.role.value}, {count} replicas" if count > 1 else item.role.value


def _images(release: Release) -> dict[str, str]:
    return {
        item.name: _short(item.image.reference, item.image.runs_as)
        for item in release.services
        if item.image and item.role is not Role.REPLACED
    }


def _short(reference: str, runs_as: str) -> str:
    name = reference.partition("@")[0]
    return f"{name} ({runs_as.rpartition('sha256:')[2][:12]})"


def _config(old: Sealed, new: Sealed) -> Iterator[Line]:
    ours, theirs = _environment(old), _environment(new)
    for service in sorted(ours.keys() & theirs.keys()):
        yield from _masked("config", ours[service], theirs[service], service)


def _environment(sealed: Sealed) -> dict[str, Mapping[str, str]]:
    """Values by service; a service's replicas have the same."""
    keys = {key: item.name for item in sealed.release.services for key in item.compose_services}
    named = {keys.get(key, ""): values for key, values in sealed.values.environment.items()}
    return {name: _plain(values) for name, values in named.items() if name}


def _plain(values: Mapping[str, str]) -> dict[str, str]:
    """A secret that stands in a command or a label is known by the name of its variable."""
    hidden = {key.removeprefix("{{secret ").removesuffix("}}"): key for key in values}
    return {name: values[key] for name, key in hidden.items()}


def _secrets(sealed: Sealed) -> dict[str, str]:
    """Contents by name; a copy for each user of it counts once."""
    return {
        target.rpartition("/")[2]: value.hex() for target, value in sealed.values.secrets.items()
    }


def _masked(
    section: str, old: Mapping[str, str], new: Mapping[str, str], subject: str = ""
) -> Iterator[Line]:
    for text in changes(old, new):
        name, what = text.split(" ", 1)
        yield Line(section, subject or name, f"{name} {what}" if subject else what)
    same = sum(old[name] == new[name] for name in old.keys() & new.keys())
    if same and len(old) + len(new) > 2 * same:
        yield Line(section, subject or "others", f"{same} unchanged")


def _settings(old: Release, new: Release) -> Iterator[Line]:
    """Compose settings of services, with what is a release's own taken out of names."""
    ours, theirs = _models(old), _models(new)
    for name in sorted(ours.keys() & theirs.keys()):
        for text in changes(ours[name], theirs[name]):
            yield Line("settings", name, text)


def _models(release: Release) -> dict[str, dict[str, str]]:
    """The first replica of each service; environment and image have sections of their own."""
    found = {}
    for item in release.services:
        source = release.state_model if item.role is Role.STATE else release.model
        service = (source.get("services") or {}).get((*item.compose_services, item.name)[0])
        if service:
            left = {k: v for k, v in service.items() if k not in ("environment", "image", "labels")}
            found[item.name] = flat(_neutral(left, release))
    return found


def _neutral(value: Any, release: Release) -> Any:
    if isinstance(value, str):
        text = re.sub(rf"\br{release.number}\b", "<release>", value)
        return re.sub(r"\b\d{1,3}(\.\d{1,3}){3}\b", "<address>", text)
    if isinstance(value, Mapping):
        return {_neutral(str(key), release): _neutral(item, release) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_neutral(item, release) for item in value]
    return value


def _routes(old: Release, new: Release) -> Iterator[Line]:
    ours, theirs = describe_routes(old), describe_routes(new)
    yield from (Line("routes", "-", text) for text in ours if text not in theirs)
    yield from (Line("routes", "+", text) for text in theirs if text not in ours)


def _named(section: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Line]:
    for name in (*new, *(name for name in old if name not in new)):
        before, after = old.get(name, ABSENT), new.get(name, ABSENT)
        if before != after:
            yield Line(section, name, f"{before} -> {after}")
