"""Asks a release the smoke conditions that berth.yaml declares, and says what was found.

Requests are asked twice: of the release at its own address before the switch, and the public way
after it. A command runs once, with the first of the two for which its service is up. Changes
nothing; who raises, records or prints is the caller's business.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from berthmaster.domain import smoke as smoking
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.hosting import answering, asked_hosts, is_covered, public_host
from berthmaster.domain.probing import Probe, ProbeResult
from berthmaster.domain.release import Release, ReleaseService
from berthmaster.domain.routing import Entrypoint, Tls
from berthmaster.domain.spec import Role, SmokeSpec
from berthmaster.engine.masking import mask_of
from berthmaster.ports.outside import Outside

REQUEST_SECONDS: Final = 15.0  # limit of a request; a condition's own time is judged within it
COMMAND_SECONDS: Final = 60.0  # limit of a command without a time of its own
TRIES: Final = 2  # through the gateway: one connection may meet the end of an old server
BETWEEN_TRIES_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one condition; an empty `error` means that it held."""

    condition: str
    way: str  # `at its own address`, `through the gateway`, `in web`
    error: str
    seconds: float = 0.0
    service: str | None = None  # None: a site answers, or nobody
    container: str = ""
    probe: Probe | None = None
    answer: ProbeResult | None = None


Asking = Callable[[Outside, Release, SmokeSpec], Awaitable[Finding | None]]


async def ask_directly(outside: Outside, release: Release, spec: SmokeSpec) -> Finding | None:
    """Ask the release itself, before the switch; None for what only the public way can tell."""
    if spec.command:
        service = _service_of(release, spec)
        if service is not None and service.role is not Role.ROUTED:
            return None  # consumers and schedulers of this release are not up yet
        return await _run(outside, release, service, spec)
    host = spec.host or smoke_host(release, spec.path)
    route = answering(release.routes, host, spec.path)
    if route is None or not route.upstreams:
        return None
    upstream = route.upstreams[0]
    probe = _probe(spec, upstream.address, upstream.port, host)
    answer = await outside.prober.probe(replace(probe, forwarded_proto="https"))
    return _found(spec, "at its own address", probe, answer, route.service, upstream.container)


async def ask_publicly(outside: Outside, release: Release, spec: SmokeSpec) -> Finding | None:
    """Ask as a client would, after the switch; None for a command that ran before it."""
    if spec.command:
        service = _service_of(release, spec)
        if service is None or service.role is Role.ROUTED:
            return None
        return await _run(outside, release, service, spec)
    if not release.hosts or not release.routes:
        return None
    is_ours = spec.host is not None and is_covered(spec.host, release.hosts)
    host = spec.host if spec.host and is_ours else smoke_host(release, spec.path)
    entrypoint = _entrypoint(outside, release)
    probe = replace(
        _probe(spec, "127.0.0.1", entrypoint.port, host),
        is_tls=entrypoint.tls is not Tls.OFF,
        marks_release=True,
    )
    answer = await _until_good(outside, probe)
    found = _found(spec, "through the gateway", probe, answer, None, "")
    if not found.error and answer.release != release.key:
        return replace(found, error=f"answered by {answer.release or 'nobody known'}")
    return found


def smoke_host(release: Release, path: str) -> str:
    """The first exact host on which something answers the path."""
    answered = (host for host in asked_hosts(release) if answering(release.routes, host, path))
    return next(answered, public_host(release))


async def _until_good(outside: Outside, probe: Probe) -> ProbeResult:
    answer = await outside.prober.probe(probe)
    for _ in range(TRIES - 1):
        if not answer.is_good:
            await outside.clock.sleep(BETWEEN_TRIES_SECONDS)
            answer = await outside.prober.probe(probe)
    return answer


async def _run(
    outside: Outside, release: Release, service: ReleaseService | None, spec: SmokeSpec
) -> Finding:
    way = f"in {spec.service}"
    if service is None or not service.containers:
        return Finding(spec.name, way, f"the release runs no service {spec.service}")
    container = service.containers[0]
    limit = spec.seconds or COMMAND_SECONDS
    start = outside.clock.monotonic()
    try:
        done = await outside.runtime.execute(container, spec.command, timeout_seconds=limit)
    except OutsideError as error:
        return Finding(spec.name, way, error.message, limit, service.name, container)
    seconds = outside.clock.monotonic() - start
    output = f"{done.output}\n{done.errors}"
    error_text = smoking.unmet_command(spec, done.exit_code, output, seconds)
    if error_text:
        error_text = mask_of(outside, release).apply(error_text)
    return Finding(spec.name, way, error_text, seconds, service.name, container)


def _probe(spec: SmokeSpec, address: str, port: int, host: str) -> Probe:
    return Probe(
        address,
        port,
        spec.path,
        host,
        wants=spec.status,
        contains=spec.contains,
        timeout_seconds=REQUEST_SECONDS,
        smoke=spec,
    )


def _found(
    spec: SmokeSpec,
    way: str,
    probe: Probe,
    answer: ProbeResult,
    service: str | None,
    container: str,
) -> Finding:
    error = "" if answer.is_good else answer.describe()
    return Finding(spec.name, way, error, answer.seconds, service, container, probe, answer)


def _service_of(release: Release, spec: SmokeSpec) -> ReleaseService | None:
    return next((item for item in release.services if item.name == spec.service), None)


def _entrypoint(outside: Outside, release: Release) -> Entrypoint:
    return next(item for item in outside.entrypoints if item.name == release.entrypoint)
