"""Reading the model that `docker compose config` prints, whichever syntax a part is written in.

Compose normalises almost everything to its long form; the short forms are understood all the same,
because a checker that knows one of two syntaxes checks nothing. Pure; decides nothing.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_PUBLISHED: Final = re.compile(
    r"(?:(?P<host>\[[^\]]*\]|[\d.]+):)?(?:(?P<published>[\d-]*):)?(?P<target>\d+)(?:-\d+)?"
    r"(?:/(?P<protocol>\w+))?\Z"
)
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A host port that the Compose file asks for; `published` is empty when Docker may choose."""

    target: int
    published: str
    protocol: str
    host: str

    @property
    def text(self) -> str:
        """As people write it."""
        host = f"{self.host}:" if self.host else ""
        udp = "" if self.protocol == "tcp" else f"/{self.protocol}"
        return f"{host}{self.published}:{self.target}{udp}"


@dataclass(frozen=True, slots=True)
class Mount:
    """One entry of `volumes` of a service."""

    kind: str  # bind, volume, tmpfs, npipe, cluster, image
    source: str  # host path or name of a volume; empty for anonymous ones
    target: str
    is_read_only: bool
    raw: Mapping[str, Any]


def services_of(model: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The model's services by name, in sorted order."""
    services = model.get("services") or {}
    return {name: services[name] or {} for name in sorted(services)}


def ports_of(service: Mapping[str, Any]) -> tuple[PublishedPort, ...]:
    """The published ports of a service, long and short syntax; ranges keep their first target."""
    return tuple(port for item in service.get("ports") or () if (port := _port(item)))


def _port(item: Any) -> PublishedPort | None:
    if isinstance(item, Mapping):
        return PublishedPort(
            target=int(item.get("target") or 0),
            published=str(item.get("published") or ""),
            protocol=str(item.get("protocol") or "tcp"),
            host=str(item.get("host_ip") or ""),
        )
    match = _PUBLISHED.match(str(item))
    if match is None:
        return PublishedPort(0, str(item), "tcp", "")  # never lost: it is listed and dropped
    part = match.groupdict(default="")
    return PublishedPort(
        int(part["target"]), part["published"], part["protocol"] or "tcp", part["host"]
    )


def mounts_of(service: Mapping[str, Any]) -> tuple[Mount, ...]:
    """The mounts of a service, long and short syntax."""
    return tuple(_mount(item) for item in service.get("volumes") or ())


def _mount(item: Any) -> Mount:
    if isinstance(item, Mapping):
        return Mount(
            kind=str(item.get("type") or "volume"),
            source=str(item.get("source") or ""),
            target=str(item.get("target") or ""),
            is_read_only=bool(item.get("read_only")),
            raw=item,
        )
    parts = str(item).split(":")
    source, target = (parts[0], parts[1]) if len(parts) > 1 else ("", parts[0])
    kind = "bind" if source.startswith((".", "/", "~")) else "volume"
    is_read_only = len(parts) > 2 and "ro" in parts[2].split(",")
    long = {"type": kind, "source": source, "target": target, "read_only": is_read_only}
    return Mount(kind, source, target, is_read_only, long)


def command_of(service: Mapping[str, Any]) -> tuple[str, ...]:
    """Entrypoint and command as one vector, as far as the file says."""
    return (*_words(service.get("entrypoint")), *_words(service.get("command")))


def _words(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value))
        except ValueError:
            return tuple(value.split())
    return tuple(str(item) for item in value)


def environment_of(service: Mapping[str, Any]) -> dict[str, str | None]:
    """Environment by name, mapping and list syntax; None where Compose found no value."""
    value = service.get("environment") or {}
    if isinstance(value, Mapping):
        return {str(key): None if item is None else str(item) for key, item in value.items()}
    pairs = (str(item).partition("=") for item in value)
    return {name: text if equals else None for name, equals, text in pairs}


def labels_of(service: Mapping[str, Any]) -> dict[str, str]:
    """Labels by name, mapping and list syntax."""
    return {
        key: value or ""
        for key, value in environment_of({"environment": service.get("labels")}).items()
    }


def depends_on(service: Mapping[str, Any]) -> dict[str, str]:
    """What a service waits for, with the condition."""
    value = service.get("depends_on") or {}
    if not isinstance(value, Mapping):
        return {str(name): "service_started" for name in value}
    return {
        str(name): str((item or {}).get("condition") or "service_started")
        for name, item in value.items()
    }


def repository_of(image: str) -> str:
    """An image reference without tag and digest."""
    name = image.split("@", 1)[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.split(':', 1)[0]}"


def tag_of(image: str) -> str | None:
    """The tag of an image reference; None when it has a digest, `latest` when nothing is said."""
    if "@" in image:
        return None
    return image.rpartition("/")[2].partition(":")[2] or "latest"


def image_name(image: str) -> str:
    """The last part of an image's repository: `postgres` of `registry:5000/library/postgres:15`."""
    return repository_of(image).rpartition("/")[2].lower()


def seconds(value: Any, default: float) -> float:
    """Seconds of a Compose duration (`1m30s`); `default` when none is given or it reads like
    nothing.
    """
    if isinstance(value, int | float):
        return float(value)
    found = re.findall(r"(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)", str(value or ""))
    return sum(float(number) * _UNITS[unit] for number, unit in found) if found else default


def strings_in(value: Any) -> Iterator[str]:
    """Every text inside a JSON value, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings_in(item)
