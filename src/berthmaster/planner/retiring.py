"""What happens after the point of no return: the old release ends, older ones are retired.

Also plans the retiring of a warm release whose time is over (`berth tick`).
"""

from berthmaster.domain.plan import (
    DetachRelease,
    Drain,
    MarkLive,
    MarkRetired,
    Plan,
    RecordStates,
    ReleaseHosts,
    RemoveContainers,
    RemoveFiles,
    RemoveNetwork,
    StopContainers,
)
from berthmaster.domain.release import Release
from berthmaster.domain.routing import HostClaim
from berthmaster.domain.spec import Role
from berthmaster.planner.joining import leave_all
from berthmaster.planner.observed import Observed
from berthmaster.planner.steps import StepList


def retire_old(steps: StepList, release: Release, observed: Observed) -> None:
    """Add the steps from the point of no return to the end."""
    old = observed.live if observed.live and observed.live.number != release.number else None
    warm_seconds = release.retention.warm_seconds
    steps.point_of_no_return()
    steps.add(
        MarkLive(release.stack, release.number, old.number if old else None, warm_seconds),
        (f"release {release.label}", "record as live", "it stood the watch"),
    )
    steps.barrier()
    _record_states(steps, release, observed)
    steps.barrier()
    if old:
        _end_old_work(steps, old, release, observed)
    for warm in observed.warm:
        if warm.number != release.number and warm not in kept(release, observed):
            retire(steps, warm, f"replaced twice: {release.label} is live")


def kept(release: Release, observed: Observed) -> tuple[Release, ...]:
    """What was adopted and goes on beside `release`: it may be reached past the gateway."""
    others = [item for item in (observed.live, *observed.warm) if item and observed.bypass]
    return tuple(item for item in others if item.adopted and item.number != release.number)


def kept_notes(release: Release, observed: Observed, is_stopped: bool = False) -> tuple[str, ...]:
    """What a plan that makes `release` live says of it, and what to type in the end."""
    why, notes = "; ".join(observed.bypass), list[str]()
    for item in kept(release, observed):
        notes.append(
            f"{item.label} stops, and nobody answers who comes past the gateway: {why}"
            if is_stopped
            else f"{item.label} goes on running: {why}. Who comes that way does not see"
            f" {release.label}; once nobody does: {let_go_command(item)}"
        )
    return tuple(notes)


def let_go_command(release: Release) -> str:
    """What a person types when nobody comes past the gateway any more."""
    return f"berth adopt {release.adopted_from} {release.stack} --let-go"


def _record_states(steps: StepList, release: Release, observed: Observed) -> None:
    """Note by which record each state service was started, when nobody did yet."""
    by_record: dict[int, list[str]] = {}
    for service in release.with_role(Role.STATE):
        if service.name not in observed.recorded:
            number = observed.applied.get(service.name, release).number
            by_record.setdefault(number, []).append(service.name)
    for number, names in sorted(by_record.items()):
        steps.add(
            RecordStates(release.stack, number, tuple(names)),
            (", ".join(names), f"record as r{number}", "later releases leave it alone"),
        )


def _end_old_work(steps: StepList, old: Release, release: Release, observed: Observed) -> None:
    limit = max((item.drain_seconds for item in old.with_role(Role.ROUTED)), default=0.0)
    if old.routes:
        steps.add(
            Drain(old.stack, old.number, limit),
            (
                f"release {old.label}",
                f"drain, at most {limit:.0f} s",
                f"replaced by {release.label}",
            ),
        )
        steps.barrier()
    ended = old.with_role(Role.CONSUMER, Role.SINGLE)
    names = tuple(name for item in ended for name in item.containers)
    if names and not old.adopted:  # those of others stay as they are: stopped
        steps.add(
            RemoveContainers(names, 10.0),
            (f"{', '.join(item.name for item in ended)} {old.label}", "remove", "already stopped"),
        )
    kept_hosts = {*release.hosts, *observed.tenant_hosts}
    claims = sorted(observed.claims, key=lambda claim: claim.host)
    dropped = tuple(claim for claim in claims if claim.host not in kept_hosts)
    if dropped:
        steps.add(
            ReleaseHosts(dropped),
            ("router", "release " + _hosts(dropped), f"not a host of {release.label}"),
        )
    steps.barrier()


def retire(steps: StepList, release: Release, cause: str) -> None:
    """Add the steps that stop a warm release for good; its record stays, so it can be started
    again.
    """
    jobs = [f"{release.project}-job-{job.name}" for job in release.jobs]
    ended = release.with_role(Role.ROUTED, Role.CONSUMER, Role.SINGLE, Role.JOB)
    own = [name for item in ended for name in item.containers]
    names = tuple(dict.fromkeys([*own, *jobs]))
    limit = max((item.stop_seconds for item in release.services), default=10.0)
    label = f"release {release.label}"
    steps.add(
        DetachRelease(release.stack, release.number), (label, "detach from the router", cause)
    )
    steps.barrier()
    if release.adopted:
        _set_aside(steps, release, limit, cause)
        return
    steps.add(RemoveContainers(names, limit), (label, "remove containers", cause))
    steps.barrier()
    steps.add(RemoveNetwork(release.network.name), (label, "remove its network", cause))
    steps.add(RemoveFiles(release.stack, release.number), (label, "remove placed files", cause))
    steps.barrier()
    steps.add(MarkRetired(release.stack, release.number), (label, "record as retired", cause))
    steps.barrier()


def _set_aside(steps: StepList, release: Release, limit: float, cause: str) -> None:
    """Containers of somebody else are stopped and kept: they can be started, and given back."""
    ended = release.with_role(Role.ROUTED, Role.CONSUMER, Role.SINGLE)
    label = f"release {release.label}"
    steps.add(
        StopContainers(release.handles(*ended), limit), (label, "stop containers, keep them", cause)
    )
    steps.barrier()
    leave_all(steps, release, cause)
    steps.add(RemoveNetwork(release.network.name), (label, "remove its network", cause))
    steps.barrier()
    steps.add(MarkRetired(release.stack, release.number), (label, "record as retired", cause))
    steps.barrier()


def plan_retire(release: Release, observed: Observed, cause: str) -> Plan:
    """Plan to retire one warm release."""
    steps = StepList()
    steps.point_of_no_return()
    retire(steps, release, cause)
    live = observed.live.number if observed.live else None
    return Plan(release.stack, "retire", live, live, observed.generation(), steps.done())


def _hosts(claims: tuple[HostClaim, ...]) -> str:
    return ", ".join(claim.host for claim in claims)
