"""The gateway's table: entrypoints, hosts, live releases, prefixes, pool of backends.

Derived from the store; the router's files and its memory are copies. A switch is one change of
`live`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

TAKEOVER_FILE: Final = "takeover.json"  # in the gateway's folder: which ports it took from a proxy


class Tls(StrEnum):
    """Who makes an entrypoint's certificates."""

    OFF = "off"  # plain HTTP, the router answers itself
    LOCAL = "local"  # the edge's own local CA
    ACME = "acme"  # any ACME directory


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """A port the gateway listens on; belongs to the server."""

    name: str
    port: int
    tls: Tls = Tls.OFF
    redirect_to: str | None = None  # name of the TLS entrypoint that plain requests are sent to
    trusted_proxies: tuple[str, ...] = ()  # CIDRs that may set X-Forwarded-*
    also: int | None = None  # port that visitors dial since it was taken from somebody's proxy
    listens_also: bool = False  # there itself; else the kernel leads them to `port`

    @property
    def visited_port(self) -> int:
        """What stands in links to it."""
        return self.also or self.port

    @property
    def ports(self) -> tuple[int, ...]:
        """Where the gateway listens for it."""
        return (self.port, self.also) if self.also and self.listens_also else (self.port,)


@dataclass(frozen=True, slots=True)
class Backend:
    """One slot of the router's pool and the addresses it holds."""

    slot: int
    servers: tuple[str, ...]  # `10.201.0.2:8000`
    limit: int | None = None  # requests that each server is given at once; more of them wait


@dataclass(frozen=True, slots=True)
class Prefix:
    """A release's path prefix: who answers it, on every host of the stack or on one."""

    release: str  # `shop-prod/r7`
    path: str
    backend: int | None = None
    site: str | None = None
    strip: bool = False
    host: str | None = None  # `*.` in front is a suffix; None: every host

    @property
    def hosts(self) -> tuple[str, ...]:
        """The one host, as routes of a release have them."""
        return (self.host,) if self.host else ()


class Naming(StrEnum):
    """How a request for a host says which tenant it is about."""

    NONE = ""  # the app knows by itself
    HEADER = "h"  # the client says it in a header, which the router looks up
    HOST = "o"  # the host is the tenant's own, and the router tells the app in that header


@dataclass(frozen=True, slots=True)
class HostClaim:
    """A host on an entrypoint and the stack it belongs to; `*.` in front is a suffix."""

    entrypoint: str
    host: str
    stack: str  # the stack's project name
    naming: Naming = Naming.NONE

    @property
    def place(self) -> tuple[str, str]:
        """What can be claimed once."""
        return self.entrypoint, self.host


@dataclass(frozen=True, slots=True)
class Doorway:
    """Where visitors of a stack come in, as its live release says."""

    entrypoint: str
    naming: Naming = Naming.NONE  # how requests for its own hosts say whose they are

    def claim(self, host: str, stack: str) -> HostClaim:
        """A tenant's own host at it: by such a host the router knows the tenant itself."""
        naming = Naming.HOST if self.naming is Naming.HEADER else Naming.NONE
        return HostClaim(self.entrypoint, host, stack, naming)


@dataclass(frozen=True, slots=True)
class RouteTable:
    """All that the router knows."""

    hosts: tuple[HostClaim, ...] = ()
    live: Mapping[str, str] = field(default_factory=dict)  # stack -> release key
    prefixes: tuple[Prefix, ...] = ()
    backends: tuple[Backend, ...] = ()
    maintenance: frozenset[str] = frozenset()  # stacks that answer the 503 page


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """What runs and whether it holds our table."""

    is_router_up: bool
    is_edge_up: bool
    router_version: str | None
    edge_version: str | None
    differences: tuple[str, ...]  # between the store's table and the router's memory
    entrypoints: tuple[Entrypoint, ...]
    is_ask_up: bool | None = None  # the ask responder; None: no entrypoint has certificates
