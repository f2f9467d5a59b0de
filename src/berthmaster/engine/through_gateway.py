"""Asking the public way: through the gateway on loopback, naming the release that answers."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from berthmaster.domain.errors import DeploymentFailed
from berthmaster.domain.hosting import answering, asked_hosts, public_host, reachable
from berthmaster.domain.probing import Probe, ProbeResult
from berthmaster.domain.release import Release, ReleaseRoute
from berthmaster.domain.routing import Entrypoint, Tls
from berthmaster.engine.gate import Gate
from berthmaster.ports.outside import Outside

T = TypeVar("T")
POLL_SECONDS: Final = 0.05
WATCH_SECONDS: Final = 1.0  # between two looks while watching
DEATH_SECONDS: Final = 0.25  # between two looks at the containers meanwhile
BAD_LOOKS: Final = 3  # failed probes in a row that turn back


def gateway_probe(outside: Outside, release: Release, host: str) -> Probe:
    """The question that a client of this host would ask, from loopback, to a route it has there.

    The readiness path when it leads to the same route from outside, else the route's own path.
    """
    entrypoint = _entrypoint(outside, release.entrypoint)
    route = _route_at(release, host)
    path = _ready_path(route)
    is_ready = path is not None and answering(release.routes, host, path) is route
    return Probe(
        "127.0.0.1",
        entrypoint.port,
        path if path is not None and is_ready else route.path,
        host,
        wants=route.ready_status if is_ready else None,
        is_tls=entrypoint.tls is not Tls.OFF,
        is_lenient=not is_ready,
        marks_release=True,
        timeout_seconds=10.0,
    )


async def await_gateway(outside: Outside, release: Release, timeout_seconds: float) -> str:
    """Ask until the new release answers well on every exact host; raises `DeploymentFailed`."""
    start = outside.clock.monotonic()
    if not release.hosts:
        return "no host, nothing to ask"
    hosts = asked_hosts(release) or (public_host(release),)
    for host in hosts:
        probe = gateway_probe(outside, release, host)
        until = start + timeout_seconds
        await await_release(outside, release, probe, until=until, where="through the gateway")
    return f"{len(hosts)} hosts answer from {release.label}"


async def await_release(
    outside: Outside, release: Release, probe: Probe, *, until: float, where: str
) -> None:
    """Ask until this release answers well, at most until then on the monotonic clock; raises
    `DeploymentFailed`.
    """
    start = outside.clock.monotonic()
    while True:
        answer = await outside.prober.probe(probe)
        if answer.is_good and answer.release == release.key:
            return
        if outside.clock.monotonic() > until:
            raise DeploymentFailed(
                f"{release.stack}: {where} {probe.host}{probe.path} {_seen(answer)}, "
                f"and {release.label} was wanted, for {max(until - start, 0):.0f} s",
                next_command="berth gateway status",
            )
        await outside.clock.sleep(POLL_SECONDS)


async def watch(outside: Outside, release: Release, seconds: float) -> str:
    """Look at the new release for a while; a death, a restart or three bad probes raise."""
    gate = Gate(outside, release)
    start = outside.clock.monotonic()
    bad = looks = 0
    while outside.clock.monotonic() - start < seconds:
        looks += 1
        answer = await _while_alive(gate, _look(outside, release))
        bad = bad + 1 if answer is not None else 0
        if bad >= BAD_LOOKS:
            raise DeploymentFailed(
                f"{release.stack}: {release.label} {_seen(answer)} {bad} times in a row, watched"
            )
        await _while_alive(gate, outside.clock.sleep(WATCH_SECONDS))
    await gate.find_death()
    return f"{looks} looks, all good"


async def _while_alive(gate: Gate, doing: Coroutine[Any, Any, T]) -> T:
    """Wait for something, and raise as soon as a container dies meanwhile.

    A probe of a dead release hangs in the router's retries: whoever waits for it turns back late.
    """
    task = asyncio.ensure_future(doing)
    try:
        while True:
            await gate.find_death()
            done, _ = await asyncio.wait({task}, timeout=DEATH_SECONDS)
            if done:
                return task.result()
    finally:
        task.cancel()


async def _look(outside: Outside, release: Release) -> ProbeResult | None:
    """The first bad answer of a host, one host for each route that they have; None: all good."""
    if not release.routes or not release.hosts:
        return None
    hosts = asked_hosts(release) or (public_host(release),)
    for host in {_route_at(release, host): host for host in reversed(hosts)}.values():
        answer = await outside.prober.probe(gateway_probe(outside, release, host))
        if not answer.is_good:
            return answer
    return None


def _route_at(release: Release, host: str) -> ReleaseRoute:
    """The first route of a host that containers answer, or the first at all."""
    routes = reachable(release.routes, host) or release.routes
    return next((item for item in routes if item.upstreams), routes[0])


def _ready_path(route: ReleaseRoute) -> str | None:
    """How a client would write the readiness path."""
    if route.ready is None or not route.strip:
        return route.ready
    return f"{route.path.rstrip('/')}{route.ready}"


def _entrypoint(outside: Outside, name: str) -> Entrypoint:
    for entrypoint in outside.entrypoints:
        if entrypoint.name == name:
            return entrypoint
    known = ", ".join(item.name for item in outside.entrypoints)
    raise DeploymentFailed(f"the server has no entrypoint {name!r}; it has {known}")


def _seen(answer: ProbeResult | None) -> str:
    if answer is None:
        return "gives no answer"
    by = f" from {answer.release}" if answer.release else ""
    return f"{answer.describe()}{by}"
