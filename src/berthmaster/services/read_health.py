"""`berth health`: compares a stack with the record of its live release and names cause and remedy.

Looks and asks only; what it finds is mended by the command it names, never by itself.
"""

import asyncio
from dataclasses import dataclass, replace
from enum import StrEnum

from berthmaster.domain.container import LABEL_STACK, Container, Health
from berthmaster.domain.errors import NotFound, OutsideError
from berthmaster.domain.hosting import asked_hosts
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release, ReleaseService
from berthmaster.domain.spec import Role
from berthmaster.engine.gate import readiness_probe
from berthmaster.engine.through_gateway import gateway_probe
from berthmaster.ports.outside import Outside
from berthmaster.services.domains.watch import alerts_of
from berthmaster.services.observe import adopted_containers, applied_states
from berthmaster.services.tenant_spec import is_suspended, known_tenant
from berthmaster.services.tenants.alerts import alerts_of_tenant
from berthmaster.services.watch_backups import BACKUP_COMMAND, BACKUP_EVENTS, backup_trouble


class Verdict(StrEnum):
    """How a stack, or one part of it, is."""

    OK = "ok"
    DEGRADED = "degraded"  # answers, but something must be mended
    DOWN = "down"  # does not do what it is for


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str  # `web (shop-prod-r7-web)`, `https://shop.example.com/`
    verdict: Verdict
    evidence: str
    mend: str | None = None  # the command to type


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The verdict over a stack; `cause` and `mend` come from the worst finding."""

    stack: StackId
    release: int
    verdict: Verdict
    findings: tuple[Finding, ...]
    cause: str | None = None
    mend: str | None = None


async def read_health(outside: Outside, stack: StackId) -> HealthReport:
    """Look at every service and route of the live release; raises `NotFound` when none is live."""
    record = outside.store.stack(stack)
    release = (
        outside.store.release(stack, record.live) if record and record.live is not None else None
    )
    if record is None or release is None:
        if stack.tenant and outside.store.tenant(stack):
            known_tenant(outside, stack)  # one that was removed can be restored
        raise NotFound(f"{stack} runs no release", next_command=f"berth deploy {stack}")
    if is_suspended(outside, stack):
        return _closed(release)
    public = _maintenance if record.is_in_maintenance else _routes
    containers, probes, routes = await asyncio.gather(
        _containers(outside, release), _probes(outside, release), public(outside, release)
    )
    noted = (
        *_tenant(outside, stack),
        *_certificates(outside, release),
        *backup_findings(outside),
    )
    findings = (*containers, *probes, *routes, *noted)
    worst = _worst(findings)
    return HealthReport(
        stack,
        release.number,
        worst.verdict if worst else Verdict.OK,
        findings,
        f"{worst.subject}: {worst.evidence}" if worst else None,
        worst.mend if worst else None,
    )


def _closed(release: Release) -> HealthReport:
    """Of a suspended tenant: it is closed on purpose, so its containers are not looked at."""
    stack, mend = release.stack, f"berth tenant unsuspend {release.stack}"
    evidence = "it is suspended: visitors get 503, its data is kept"
    found = Finding("tenant", Verdict.DOWN, evidence, mend)
    cause = f"{found.subject}: {evidence}"
    return HealthReport(stack, release.number, Verdict.DOWN, (found,), cause, mend)


async def _containers(outside: Outside, release: Release) -> list[Finding]:
    labels = {LABEL_STACK: str(release.stack)}
    found = {item.name: item for item in await outside.runtime.containers(labels, detailed=True)}
    for item in await adopted_containers(outside, release.stack, detailed=True):
        found[item.name] = replace(item, restart_count=0)  # they have a past
    findings = []
    app = release.with_role(Role.ROUTED, Role.CONSUMER, Role.SINGLE)
    for service in (*app, *_state_as_applied(outside, release)):
        wanted = await _wanted_image(outside, service)
        judged = [
            _judge(release, service, found.get(name), name, wanted) for name in service.containers
        ]
        works = any(_works(found.get(name)) for name in service.containers)
        findings += judged if works else [_as_down(service, item) for item in judged]
    return findings


def _state_as_applied(outside: Outside, release: Release) -> list[ReleaseService]:
    """State services by the record that was applied last: a release does not change them."""
    applied = applied_states(outside, release.stack, release)
    return [
        next(item for item in applied[service.name].services if item.name == service.name)
        for service in release.with_role(Role.STATE)
    ]


def _works(container: Container | None) -> bool:
    is_running = container is not None and container.is_running
    return is_running and container is not None and container.health is not Health.UNHEALTHY


def _as_down(service: ReleaseService, finding: Finding) -> Finding:
    """No replica is left; only work in a queue can wait."""
    if service.role is Role.CONSUMER or finding.verdict is Verdict.OK:
        return finding
    return replace(finding, verdict=Verdict.DOWN)


async def _wanted_image(outside: Outside, service: ReleaseService) -> str | None:
    if service.image is None:
        return None
    image = await outside.runtime.image(service.image.runs_as)
    return image.id if image else None


def _judge(
    release: Release,
    service: ReleaseService,
    container: Container | None,
    name: str,
    wanted: str | None,
) -> Finding:
    stack, subject = release.stack, f"{service.name} ({name})"
    redeploy, logs = f"berth deploy {stack} --force", f"berth logs {stack} {service.name}"
    if container is None:
        return Finding(subject, Verdict.DEGRADED, "the container is gone", redeploy)
    if not container.is_running:
        return Finding(subject, Verdict.DEGRADED, _how_it_ended(container), logs)
    if container.health is Health.UNHEALTHY:
        said = container.health_output.strip().splitlines()
        words = f": {said[-1]}" if said else ""
        return Finding(subject, Verdict.DEGRADED, f"its healthcheck fails{words}", logs)
    if wanted is not None and container.image_id != wanted and service.role is not Role.STATE:
        evidence = "runs another image than the release records"
        return Finding(subject, Verdict.DEGRADED, evidence, redeploy)
    if container.restart_count:
        evidence = f"runs, but was restarted {container.restart_count} times"
        return Finding(subject, Verdict.DEGRADED, evidence, logs)
    health = "" if container.health is Health.NONE else f", {container.health}"
    return Finding(subject, Verdict.OK, f"running{health}")


def _how_it_ended(container: Container) -> str:
    if container.is_oom_killed:
        return "was killed: out of memory"
    code = "" if container.exit_code is None else f" with exit code {container.exit_code}"
    error = f": {container.error}" if container.error else ""
    return f"is {container.state}{code}{error}"


async def _probes(outside: Outside, release: Release) -> list[Finding]:
    """Ask each upstream at its own address; one of several being bad only degrades."""
    asked = [(route, item) for route in release.routes for item in route.upstreams]
    answers = await asyncio.gather(
        *(outside.prober.probe(readiness_probe(release, route, item)) for route, item in asked)
    )
    findings = []
    for (route, item), answer in zip(asked, answers, strict=True):
        subject = f"{route.service} at {item.address}:{item.port}{route.ready or route.path}"
        verdict = Verdict.DOWN if len(route.upstreams) == 1 else Verdict.DEGRADED
        mend = f"berth logs {release.stack} {route.service} --errors"
        findings.append(
            Finding(subject, Verdict.OK, answer.describe())
            if answer.is_good
            else Finding(subject, verdict, answer.describe(), mend)
        )
    return findings


async def _routes(outside: Outside, release: Release) -> list[Finding]:
    """Ask through the gateway on every exact host; the answer must come from the live release."""
    if not release.routes or not release.hosts:
        return []
    known = {item.name for item in outside.entrypoints}
    if release.entrypoint not in known:
        evidence = f"this server has no entrypoint {release.entrypoint!r}"
        return [Finding("gateway", Verdict.DOWN, evidence, f"berth check {release.stack}")]
    try:
        status = await outside.router.status()
        is_up = status.is_router_up
    except OutsideError:
        is_up = False
    if not is_up:
        return [Finding("gateway", Verdict.DOWN, "the router does not run", "berth gateway up")]
    asked = (_route(outside, release, host) for host in asked_hosts(release))
    return [*await asyncio.gather(*asked), *await _waiting(outside, release)]


async def _waiting(outside: Outside, release: Release) -> list[Finding]:
    """Whether visitors wait because a service is given no more; a short queue is what it is for."""
    limits = {
        item.service: item.limit * len(item.upstreams) for item in release.routes if item.limit
    }
    if not limits:
        return []
    count, most = await outside.router.waiting(release.key), sum(limits.values())
    names = ", ".join(f"{name} takes {limit} at once" for name, limit in limits.items())
    evidence = f"{count} wait in the router; {names}"
    if count <= most:
        return [Finding("requests", Verdict.OK, evidence)]
    evidence = f"{evidence}: give it more `connections`"
    stack = release.stack
    mend = f"berth tenant set {stack} --resources SIZE" if stack.tenant else f"berth deploy {stack}"
    return [Finding("requests", Verdict.DEGRADED, evidence, mend)]


async def _route(outside: Outside, release: Release, host: str) -> Finding:
    probe = gateway_probe(outside, release, host)
    subject = f"{release.entrypoint}: {host}{probe.path}"
    answer = await outside.prober.probe(probe)
    if not answer.is_good:
        return Finding(subject, Verdict.DOWN, answer.describe(), "berth gateway status")
    if answer.release != release.key:
        evidence = f"answered by {answer.release or 'an unknown release'}, not by {release.key}"
        return Finding(subject, Verdict.DOWN, evidence, "berth gateway up")
    return Finding(subject, Verdict.OK, f"{answer.describe()} from {release.label}")


def _tenant(outside: Outside, stack: StackId) -> list[Finding]:
    """What is open about a tenant besides what is looked at here."""
    return [
        Finding(f"tenant's {item.kind}", Verdict.DEGRADED, item.text, item.next_command)
        for item in alerts_of_tenant(outside, stack)
    ]


def _certificates(outside: Outside, release: Release) -> list[Finding]:
    """What `berth tick` found of its hosts' certificates."""
    hosts = {*release.hosts, *(item.host for item in outside.store.domains(release.stack))}
    return [
        Finding(f"certificate of {item.subject}", Verdict.DEGRADED, item.text, "berth cert list")
        for item in alerts_of(outside, hosts)
    ]


def backup_findings(outside: Outside) -> list[Finding]:
    """The server's own backups, once somebody began to make them."""
    if (trouble := backup_trouble(outside)) is not None:
        return [Finding("backup", Verdict.DEGRADED, trouble, BACKUP_COMMAND)]
    last = outside.store.last_event(*BACKUP_EVENTS)
    if last is None:
        return []
    age = outside.clock.now() - last.at
    return [Finding("backup", Verdict.OK, f"the newest is {age.total_seconds() / 3600:.0f} h old")]


async def _maintenance(outside: Outside, release: Release) -> list[Finding]:
    """Nothing is asked through the gateway: it would answer the page, as it was told to."""
    del outside
    evidence = "the maintenance page is on: visitors get 503"
    mend = f"berth maintenance off {release.stack}"
    return [Finding("maintenance", Verdict.DEGRADED, evidence, mend)]


def _worst(findings: tuple[Finding, ...]) -> Finding | None:
    """Containers come first, so a dead container is named before the probes that it fails."""
    for verdict in (Verdict.DOWN, Verdict.DEGRADED):
        for finding in findings:
            if finding.verdict is verdict:
                return finding
    return None
