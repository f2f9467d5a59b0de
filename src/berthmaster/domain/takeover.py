"""The gateway in the place of somebody's own proxy: which ports it took, and from whom.

Kept beside the gateway's configuration, because it belongs to the server: settings and gateway read
it, nothing but a planned step writes it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from berthmaster.domain import codec
from berthmaster.domain.errors import Bug
from berthmaster.domain.routing import Entrypoint


@dataclass(frozen=True, slots=True)
class Replaced:
    """The proxy that was there before, as its owner had started it."""

    container: str  # id
    name: str
    restart: str  # policy: always, unless-stopped, on-failure:3, no
    inside: tuple[int, ...]  # ports that it listens on in its container


@dataclass(frozen=True, slots=True)
class TakenPort:
    """A port that visitors dial, and the entrypoint that answers there now."""

    entrypoint: str
    port: int


@dataclass(frozen=True, slots=True)
class Redirected:
    """New connections to a port of this host that the kernel leads to another one."""

    port: int
    to: int
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class Takeover:
    """What was taken from one proxy; while `listens` is false visitors come by a redirect."""

    stack: str
    proxy: Replaced
    ports: tuple[TakenPort, ...]
    listens: bool = False


def render_takeover(value: Takeover) -> str:
    """The file's text."""
    return json.dumps(codec.encode(value), indent=2) + "\n"


def parse_takeover(text: str) -> Takeover | None:
    """Read the file back; None for one that cannot be read."""
    try:
        found = codec.decode(Takeover, json.loads(text))
    except (ValueError, KeyError, TypeError, Bug):
        return None
    return found if isinstance(found, Takeover) else None


def with_takeover(
    entrypoints: Iterable[Entrypoint], takeover: Takeover | None
) -> tuple[Entrypoint, ...]:
    """The entrypoints with the ports that were taken; one that has its port already needs none."""
    plain = tuple(replace(item, also=None, listens_also=False) for item in entrypoints)
    taken = {item.entrypoint: item.port for item in takeover.ports} if takeover else {}
    listens = takeover is not None and takeover.listens
    own = {item.port for item in plain}
    return tuple(
        replace(item, also=taken[item.name], listens_also=listens)
        if item.name in taken and taken[item.name] not in own
        else item
        for item in plain
    )
