"""Which of a release's routes answers a host and a path: the router's rule, as pure functions.

A route for this very host comes first, then one for its suffix (`*.` in place of the first label),
then one for every host; among those of one rank the longest prefix wins. The router, its twin, the
gate and what people are shown all follow this.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from berthmaster.domain.routing import Backend, Prefix

if TYPE_CHECKING:
    from berthmaster.domain.release import Release, ReleaseRoute


class Answering(Protocol):
    """What has a path prefix and perhaps hosts: a release's route, a prefix of the router."""

    @property
    def path(self) -> str: ...

    @property
    def hosts(self) -> tuple[str, ...]: ...


Route = TypeVar("Route", bound=Answering)


def suffix_of(host: str) -> str:
    """The suffix that a host is below: `*.shop.test` of `api.shop.test`."""
    return f"*.{host.partition('.')[2]}"


def is_covered(host: str, hosts: Iterable[str]) -> bool:
    """Whether a host is among these or below one of their suffixes."""
    known = set(hosts)
    return host in known or (not host.startswith("*.") and suffix_of(host) in known)


def answering(routes: Sequence[Route], host: str, path: str) -> Route | None:
    """The route that answers a path of a host; a host with `*.` stands for those below it."""
    for rank in _ranks(routes, host):
        fitting = [route for route in rank if _is_below(path, route.path)]
        if fitting:
            return max(fitting, key=lambda route: len(route.path.rstrip("/")))
    return None


def reachable(routes: Sequence[Route], host: str) -> tuple[Route, ...]:
    """The routes that answer at least their own path on a host, in the order given."""
    return tuple(route for route in routes if answering(routes, host, route.path) is route)


def named_hosts(routes: Iterable[Answering], hosts: Sequence[str]) -> tuple[str, ...]:
    """The hosts of a stack, then those below its suffixes that only its routes name."""
    more = {name for route in routes for name in route.hosts} - set(hosts)
    return (*hosts, *sorted(name for name in more if is_covered(name, hosts)))


def asked_hosts(release: "Release") -> tuple[str, ...]:
    """Every exact host on which the release answers something."""
    named = named_hosts(release.routes, release.hosts)
    exact = (host for host in named if not host.startswith("*."))
    return tuple(host for host in exact if reachable(release.routes, host))


def public_host(release: "Release", route: "ReleaseRoute | None" = None) -> str:
    """The first exact host of the release, or of a route; a suffix stands for its own apex."""
    exact = asked_hosts(release)
    if route is not None:
        exact = tuple(host for host in exact if route in reachable(release.routes, host))
    hosts = (*exact, *(route.hosts if route else ()), *release.hosts)
    return hosts[0].removeprefix("*.") if hosts else "localhost"


def prefixes_of(release: str, route: "ReleaseRoute", slot: int | None) -> tuple[Prefix, ...]:
    """A route as the router knows it: once, or once for each of its hosts."""
    return tuple(
        Prefix(release, route.path, slot, route.site, route.strip, host)
        for host in route.hosts or (None,)
    )


def sharing(routes: "Iterable[ReleaseRoute]") -> "tuple[tuple[ReleaseRoute, ...], ...]":
    """The routes that need a slot of the pool, those that have one together beside each other.

    Where a service is limited all its routes share one: the limit counts for the service.
    """
    found: dict[object, tuple[ReleaseRoute, ...]] = {}
    for number, route in enumerate(routes):
        if route.upstreams:
            key = route.upstreams if route.limit else number
            found[key] = (*found.get(key, ()), route)
    return tuple(found.values())


def attached(release: "Release", slots: Iterable[int]) -> tuple[list[Backend], list[Prefix]]:
    """A release as the router knows it, with a slot for each of `sharing`."""
    backends = list[Backend]()
    given: dict[ReleaseRoute, int] = {}
    for slot, group in zip(slots, sharing(release.routes), strict=False):
        servers = tuple(f"{item.address}:{item.port}" for item in group[0].upstreams)
        backends.append(Backend(slot, servers, group[0].limit))
        given |= dict.fromkeys(group, slot)
    prefixes = [
        prefix
        for route in release.routes
        for prefix in prefixes_of(release.key, route, given.get(route))
    ]
    return backends, prefixes


def _ranks(routes: Sequence[Route], host: str) -> tuple[list[Route], ...]:
    of_suffix = suffix_of(host) if not host.startswith("*.") else host
    return (
        [route for route in routes if host in route.hosts],
        [route for route in routes if of_suffix in route.hosts],
        [route for route in routes if not route.hosts],
    )


def _is_below(path: str, prefix: str) -> bool:
    return f"{path.rstrip('/')}/".startswith(f"{prefix.rstrip('/')}/")
