"""The story of a deployment, in the order of D7.

`plan_deploy` makes a stack run a release that does not run yet (a new one, or an old one whose
containers are gone); `planner/rollback.py` turns back to one that still runs. Pure: what exists is
told by `Observed`.
"""

from berthmaster.domain.hosting import named_hosts, reachable
from berthmaster.domain.plan import (
    AttachRelease,
    ClaimHosts,
    CreateNetwork,
    CreateVolume,
    DetachRelease,
    Gap,
    PlaceFiles,
    Plan,
    ProbeGateway,
    PullImage,
    ReleaseHosts,
    RemoveFiles,
    RemoveJob,
    RemoveNetwork,
    RunJob,
    ServiceLine,
    SetMaintenance,
    Smoke,
    StartContainers,
    StopContainers,
    Switch,
    TakeRestorePoint,
    Watch,
)
from berthmaster.domain.release import (
    STATE_FILES,
    ImagePin,
    Release,
    ReleaseService,
)
from berthmaster.domain.routing import HostClaim
from berthmaster.domain.spec import JobMoment, JobSpec, Role
from berthmaster.planner import retiring
from berthmaster.planner.joining import join_all
from berthmaster.planner.observed import Observed
from berthmaster.planner.putback import Restore, drop_kept, put_back
from berthmaster.planner.starting import (
    await_ready,
    names_of,
    passwords_to_set,
    start,
    start_state,
    waves,
)
from berthmaster.planner.steps import StepList

GATEWAY_PROBE_SECONDS = 15.0


def plan_deploy(
    release: Release,
    observed: Observed,
    *,
    slots: tuple[int, ...],
    verb: str = "deploy",
    restores: tuple[Restore, ...] = (),
    is_closed: bool = False,
) -> Plan:
    """Plan to bring `release` up beside the live one, switch to it, watch it and retire the old.

    `slots` are the places in the router's pool reserved for the release, one for each distinct
    upstream set. `restores` fill the databases of a stack that begins as a copy. With `is_closed`
    visitors get the maintenance page until the switch, as an incompatible migration has it.
    """
    steps = StepList()
    closes = observed.live is not None and (is_closed or _is_incompatible(release))
    bring_inputs(steps, release, observed)
    start_state(steps, release, observed)
    for restore in restores:
        put_back(steps, release, restore)
    _migrate(steps, release, observed, closes)
    _start_routed(steps, release)
    if not closes:
        _stop_old(steps, release, observed, f"{release.label} takes over")
    _hand_work_over(steps, release)
    _switch(steps, release, observed, slots, closes)
    _start_singles(steps, release, observed)
    watch(steps, release)
    retiring.retire_old(steps, release, observed)
    drop_kept(steps, restores, "the image made it empty")
    return Plan(
        stack=release.stack,
        verb=verb,
        old=observed.live.number if observed.live else None,
        new=release.number,
        based_on=observed.generation(),
        steps=steps.done(),
        services=tuple(service_line(service, observed) for service in release.services),
        gaps=_gaps(release, observed, is_closed),
        routes=tuple(describe_routes(release)),
        notes=(*_notes(release, observed), *retiring.kept_notes(release, observed, closes)),
    )


def bring_inputs(steps: StepList, release: Release, observed: Observed) -> None:
    """Add pulls, networks, volumes and files of a release."""
    label, stack = release.label, release.stack
    users: dict[ImagePin, list[str]] = {}
    for service in release.services:
        pin = service.image
        if pin and service.role is not Role.REPLACED and pin.runs_as not in observed.images:
            users.setdefault(pin, []).append(service.name)
    for pin, names in users.items():
        steps.add(PullImage(pin.runs_as, pin.reference), (", ".join(names), "pull", pin.reference))
    create_networks(steps, release, observed)
    for volume in release.volumes:
        if volume not in observed.volumes:
            steps.add(
                CreateVolume(volume, stack), (f"volume {volume}", "create", "data of the stack")
            )
    if any(file.is_state for file in release.files):
        steps.add(
            PlaceFiles(stack, release.number, is_state=True),
            ("files of state", "place what is missing", "state services mount them"),
            None if observed.live else (RemoveFiles(stack, STATE_FILES), "remove them"),
        )
    if not release.adopted:
        steps.add(
            PlaceFiles(stack, release.number),
            (f"files {label}", "place", "secrets, configs and read-only files of this release"),
            None
            if _runs(release, observed)
            else (RemoveFiles(stack, release.number), "remove them"),
        )
    steps.barrier()


def create_networks(steps: StepList, release: Release, observed: Observed) -> None:
    """Add the networks of the stack and of the release, where they are missing."""
    label, stack = release.label, release.stack
    for network, number, why in (
        (release.stack_network, None, "state services and releases meet here"),
        (release.network, release.number, f"names of {label} resolve only inside it"),
    ):
        if network.name not in observed.networks:
            steps.add(
                CreateNetwork(network, stack, number),
                (f"network {network.name}", f"create {network.subnet}", why),
                (RemoveNetwork(network.name), "remove it"),
            )


def _runs(release: Release, observed: Observed) -> bool:
    """Whether containers of it are there, which mount its files."""
    there = (item.number for item in (observed.live, *observed.warm) if item)
    return release.number in there


def _is_incompatible(release: Release) -> bool:
    """Whether old code cannot work on what a job before the switch changes."""
    before = (job for job in release.jobs if job.when is JobMoment.BEFORE_SWITCH)
    return any(not job.is_compatible for job in before)


def _migrate(steps: StepList, release: Release, observed: Observed, closes: bool) -> None:
    jobs = [job for job in release.jobs if job.when is JobMoment.BEFORE_SWITCH]
    if closes:
        is_needed = _is_incompatible(release)
        cause = "an incompatible migration follows" if is_needed else "asked for"
        steps.add(
            SetMaintenance(release.stack, True),
            (str(release.stack), "maintenance on", cause),
            (SetMaintenance(release.stack, False), "maintenance off"),
        )
        steps.barrier()
        why = "old code must not write during the migration" if is_needed else "asked for"
        _stop_old(steps, release, observed, why)
        _stop_bypassed(steps, release, observed)
    if any(job.is_migration for job in jobs) and observed.live:
        _restore_points(steps, release)
    beside = _served_beside(release, observed, jobs)
    for job in jobs:
        run_job(steps, release, job, "the new code needs it before it serves", beside)


def _stop_bypassed(steps: StepList, release: Release, observed: Observed) -> None:
    """The maintenance page is the gateway's: what answers past it would go on writing."""
    for old in retiring.kept(release, observed):
        routed = old.with_role(Role.ROUTED)
        limit = max(item.stop_seconds for item in routed)
        steps.add(
            StopContainers(old.handles(*routed), limit),
            (
                f"{names_of(routed)} {old.label}",
                f"stop, at most {limit:.0f} s",
                "visitors reach it past the gateway, and no page stops them",
            ),
            (StartContainers(old.handles(*routed), limit), "start again"),
        )
        steps.barrier()


def _served_beside(release: Release, observed: Observed, jobs: list[JobSpec]) -> Release | None:
    """The release that has to go on serving while the jobs run, if one has to.

    Not when its database's password was just changed: it may fail for that, as the plan says.
    """
    live = observed.live
    if live is None or live.number == release.number or observed.is_in_maintenance:
        return None
    is_kept_up = all(job.is_compatible for job in jobs) and not passwords_to_set(release, observed)
    return live if is_kept_up else None


def _restore_points(steps: StepList, release: Release) -> None:
    for service in _dumpable(release):
        steps.add(
            TakeRestorePoint(
                release.stack,
                release.number,
                service.name,
                service.containers[0],
                _point_name(release, service),
            ),
            (service.name, "take restore point", f"a migration of {release.label} follows"),
        )
    steps.barrier()


def _dumpable(release: Release) -> list[ReleaseService]:
    return [item for item in release.with_role(Role.STATE) if item.is_dumpable]


def _point_name(release: Release, service: ReleaseService) -> str:
    """One name for each database: a point that is there is never written again."""
    is_only = len(_dumpable(release)) == 1
    return f"before-{release.label}" + ("" if is_only else f"-{service.name}")


def run_job(
    steps: StepList, release: Release, job: JobSpec, cause: str, beside: Release | None = None
) -> None:
    """Add the run of a job, once, to its end; the release `beside` it is watched meanwhile."""
    container = f"{release.project}-job-{job.name}"
    has_points = beside is not None and any(
        item.is_migration for item in release.jobs if item.when is JobMoment.BEFORE_SWITCH
    )
    watched = f", watch {beside.label}" if beside else ""
    steps.add(
        RunJob(
            release.stack,
            release.number,
            job.name,
            f"job-{job.name}-{release.label}",
            container,
            job.timeout_seconds,
            beside.number if beside else None,
            tuple(_point_name(release, item) for item in _dumpable(release) if has_points),
        ),
        (f"job {job.name}", f"run, at most {job.timeout_seconds:.0f} s{watched}", cause),
        (RemoveJob(release.stack, release.number, container, 10.0), "remove its container"),
    )
    steps.barrier()


def _start_routed(steps: StepList, release: Release) -> None:
    join_all(steps, release, Role.ROUTED)
    for wave in waves(release.with_role(Role.ROUTED)):
        start(steps, release, wave, f"{release.label} is new")
        await_ready(steps, release, wave, "gate before the switch")
        steps.barrier()
    smoke(steps, release)


def smoke(steps: StepList, release: Release, *, is_public: bool = False) -> None:
    """Add the declared conditions, asked of the release before the switch, or publicly after it."""
    if release.smoke:
        count, way = len(release.smoke), ", the public way" if is_public else ""
        steps.add(
            Smoke(release.stack, release.number, is_public),
            (
                f"release {release.label}",
                f"smoke, {count} condition{'s' * (count > 1)}{way}",
                "declared in berth.yaml",
            ),
        )
        steps.barrier()


def _hand_work_over(steps: StepList, release: Release) -> None:
    for wave in waves(release.with_role(Role.CONSUMER)):
        start(steps, release, wave, f"{release.label} takes work over")
        await_ready(steps, release, wave, "gate before the switch")
        steps.barrier()


def _stop_old(steps: StepList, release: Release, observed: Observed, cause: str) -> None:
    if observed.live is None or observed.live.number == release.number:
        return
    for role, why in ((Role.SINGLE, "at most one may run"), (Role.CONSUMER, cause)):
        for service in observed.live.with_role(role):
            limit = max(service.drain_seconds, service.stop_seconds)
            steps.add(
                StopContainers(observed.live.handles(service), limit),
                (
                    f"{service.name} {observed.live.label}",
                    f"stop, at most {limit:.0f} s",
                    why if role is Role.SINGLE else f"{why}; tasks in hand finish",
                ),
                (StartContainers(observed.live.handles(service), limit), "start again"),
            )
        steps.barrier()


def _switch(
    steps: StepList, release: Release, observed: Observed, slots: tuple[int, ...], closes: bool
) -> None:
    if not release.routes:
        return
    attach_and_switch(steps, release, observed, slots)
    if closes and not observed.is_in_maintenance:
        _leave_maintenance(steps, release)
    probe_gateway(steps, release)


def attach_and_switch(
    steps: StepList, release: Release, observed: Observed, slots: tuple[int, ...]
) -> None:
    """Add what points the stack's routes and hosts at a release."""
    stack, number, label = release.stack, release.number, release.label
    old = observed.live.number if observed.live else None
    if release.key not in observed.attached:
        steps.add(
            AttachRelease(stack, number, slots),
            (f"router {label}", "attach upstreams", "known to the router, without traffic"),
            (DetachRelease(stack, number), "detach"),
        )
    new_claims = tuple(claim for claim in claims_of(release) if claim not in observed.claims)
    if new_claims:
        steps.add(
            ClaimHosts(new_claims),
            (
                "router",
                "claim " + ", ".join(claim.host for claim in new_claims),
                "hosts of the stack",
            ),
            (ReleaseHosts(new_claims), "release them"),
        )
    steps.barrier()
    steps.add(
        Switch(stack, old, number),
        (str(stack), f"switch {_release(old)} -> {label}", "the new release is good"),
        (Switch(stack, number, old), f"switch {label} -> {_release(old)}"),
    )
    steps.barrier()


def probe_gateway(steps: StepList, release: Release) -> None:
    """Add the question asked the public way."""
    steps.add(
        ProbeGateway(release.stack, release.number, GATEWAY_PROBE_SECONDS),
        (
            f"release {release.label}",
            "probe through the gateway",
            "the public way must answer from it",
        ),
    )
    steps.barrier()


def _leave_maintenance(steps: StepList, release: Release) -> None:
    steps.add(
        SetMaintenance(release.stack, False),
        (str(release.stack), "maintenance off", "the new release serves"),
        (SetMaintenance(release.stack, True), "maintenance on"),
    )
    steps.barrier()


def _start_singles(steps: StepList, release: Release, observed: Observed) -> None:
    singles = release.with_role(Role.SINGLE)
    if singles:
        start(steps, release, singles, "the old one has stopped")
        await_ready(steps, release, singles, "it must stay up")
        steps.barrier()
    smoke(steps, release, is_public=True)
    for job in release.jobs:
        if job.when is JobMoment.AFTER_SWITCH:
            run_job(steps, release, job, "declared after-switch")


def watch(steps: StepList, release: Release) -> None:
    """Add the watch, when the release asks for one."""
    seconds = release.retention.watch_seconds
    if seconds > 0:
        steps.add(
            Watch(release.stack, release.number, seconds),
            (f"release {release.label}", f"watch {seconds:.0f} s", "it may still die"),
        )
        steps.barrier()


def claims_of(release: Release) -> tuple[HostClaim, ...]:
    """The hosts a release answers, on its entrypoint."""
    return tuple(
        HostClaim(release.entrypoint, host, release.stack.project, release.naming)
        for host in release.hosts
    )


def describe_routes(release: Release) -> list[str]:
    """Each route in words: `https://shop.example.com/ -> web:8000 (2 replicas)`."""
    lines = []
    for host in named_hosts(release.routes, release.hosts) or ("(no host)",):
        for route in reachable(release.routes, host) if release.hosts else release.routes:
            port = route.upstreams[0].port if route.upstreams else ""
            target = f"site {route.site}" if route.site else f"{route.service}:{port}"
            facts = [f"{len(route.upstreams)} replicas"] if len(route.upstreams) > 1 else []
            facts += [f"at most {route.limit} requests at once"] if route.limit else []
            more = f" ({', '.join(facts)})" if facts else ""
            lines.append(f"{release.entrypoint}: {host}{route.path} -> {target}{more}")
    return lines


def _gaps(release: Release, observed: Observed, is_closed: bool) -> tuple[Gap, ...]:
    if observed.live is None:
        return ()
    gaps = []
    for role, what in ((Role.CONSUMER, "no consumer"), (Role.SINGLE, "no scheduler")):
        old = observed.live.with_role(role)
        if not old:
            continue
        stop = max(max(item.drain_seconds, item.stop_seconds) for item in old)
        new = [item.ready_seconds for item in release.with_role(role)]
        start = max(new, default=0.0)
        why = f"the old one stops within {stop:.0f} s, the new one is ready within {start:.0f} s"
        gaps.append(Gap(f"{what} ({names_of(old)})", stop + start, why))
    if logins := passwords_to_set(release, observed):
        ready = max((item.ready_seconds for item in release.with_role(Role.ROUTED)), default=0.0)
        jobs = (job for job in release.jobs if job.when is JobMoment.BEFORE_SWITCH)
        why = f"a database knows one password; open ones of {observed.live.label} stay open"
        seconds = ready + sum(job.timeout_seconds for job in jobs)
        gaps.append(
            Gap(f"no new connections of the old release ({names_of(logins)})", seconds, why)
        )
    if any(not job.is_compatible for job in release.jobs):
        longest = sum(job.timeout_seconds for job in release.jobs if not job.is_compatible)
        gaps.append(Gap("maintenance page", longest, "the migration is declared compatible: no"))
    elif is_closed:
        ready = max((item.ready_seconds for item in release.with_role(Role.ROUTED)), default=0.0)
        gaps.append(Gap("maintenance page", ready, "asked for; migrations and starts come on top"))
    return tuple(gaps)


def service_line(service: ReleaseService, observed: Observed) -> ServiceLine:
    """What happens to a service, for the plan's table."""
    match service.role:
        case Role.STATE:
            is_there = observed.containers.issuperset(service.containers)
            change = "left alone" if is_there else "started"
        case Role.REPLACED:
            change = "never run"
        case Role.JOB:
            change = "run once"
        case Role.ROUTED | Role.CONSUMER | Role.SINGLE:
            change = "replaced" if observed.live else "started"
    return ServiceLine(service.name, service.role.value, service.reason, change)


def _release(number: int | None) -> str:
    return "nothing" if number is None else f"r{number}"


def _notes(release: Release, observed: Observed) -> tuple[str, ...]:
    """What nobody can turn back: a queue does not know which release is still on trial."""
    consumers, label = release.with_role(Role.CONSUMER), release.label
    if not consumers or observed.live is None or observed.live.number == release.number:
        return ()
    return (
        f"{names_of(consumers)}: works from its start on; if {label} is turned back,"
        f" what it did by then was done by {label}",
    )
