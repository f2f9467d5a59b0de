"""Turning back to a release that still runs: a switch, not a deployment.

The switch comes first and the queue's consumers change hands after it, because the person who types
`berth rollback` wants the old answers now. A release whose containers are gone goes through
`planner.deploy.plan_deploy` from its record, like any other, but without its migrations.
"""

from dataclasses import replace

from berthmaster.domain.plan import (
    AttachRelease,
    AwaitReady,
    ClaimHosts,
    Plan,
    ProbeGateway,
    ReleaseHosts,
    RemoveContainers,
    ServiceLine,
    StartContainers,
    StartServices,
    StopContainers,
    Switch,
)
from berthmaster.domain.release import Release
from berthmaster.domain.spec import Role
from berthmaster.planner import retiring
from berthmaster.planner.deploy import (
    GATEWAY_PROBE_SECONDS,
    claims_of,
    describe_routes,
    plan_deploy,
)
from berthmaster.planner.observed import Observed
from berthmaster.planner.starting import set_passwords
from berthmaster.planner.steps import StepList


def can_switch_back(release: Release, observed: Observed) -> bool:
    """Whether every routed container of the release still runs."""
    routed = [name for item in release.with_role(Role.ROUTED) for name in item.containers]
    return bool(routed) and observed.running.issuperset(routed)


def plan_start_again(release: Release, observed: Observed, *, slots: tuple[int, ...]) -> Plan:
    """Plan a cold rollback: the deployment of an older record, but never its migrations.

    Old code works on a newer schema, or the rollback was refused. Running its migration again would
    do nothing at best, and some tools stop at a schema that they do not know.
    """
    kept = tuple(job for job in release.jobs if not job.is_migration)
    plan = plan_deploy(replace(release, jobs=kept), observed, slots=slots, verb="rollback")
    left = ", ".join(job.name for job in release.jobs if job.is_migration)
    notes = (f"not run again: {left}; a rollback leaves data as it is",) if left else ()
    return replace(plan, notes=(*plan.notes, *notes))


def plan_switch_back(release: Release, observed: Observed, *, slots: tuple[int, ...]) -> Plan:
    """Plan a warm rollback: gate, switch, probe, then hand the queues over."""
    steps = StepList()
    current = observed.live
    stack, number, label = release.stack, release.number, release.label
    old = current.number if current else None
    routed = tuple(item.name for item in release.with_role(Role.ROUTED))
    steps.add(
        AwaitReady(stack, number, routed, 10.0),
        (f"{', '.join(routed)} {label}", "await ready, at most 10 s", "it must still be good"),
    )
    if release.key not in observed.attached:
        steps.add(
            AttachRelease(stack, number, slots),
            (f"router {label}", "attach upstreams", "the router does not know it"),
        )
    missing = tuple(claim for claim in claims_of(release) if claim not in observed.claims)
    if missing:
        steps.add(
            ClaimHosts(missing),
            ("router", "claim " + ", ".join(item.host for item in missing), f"hosts of {label}"),
            (ReleaseHosts(missing), "release them"),
        )
    steps.barrier()
    set_passwords(steps, release, observed)
    steps.add(
        Switch(stack, old, number),
        (str(stack), f"switch r{old} -> {label}", "asked for"),
        (Switch(stack, number, old), f"switch {label} -> r{old}"),
    )
    steps.barrier()
    steps.add(
        ProbeGateway(stack, number, GATEWAY_PROBE_SECONDS),
        (f"release {label}", "probe through the gateway", "the public way must answer from it"),
    )
    steps.barrier()
    _hand_work_back(steps, release, current)
    retiring.retire_old(steps, release, observed)
    return Plan(
        stack=stack,
        verb="rollback",
        old=old,
        new=number,
        based_on=observed.generation(),
        steps=steps.done(),
        services=tuple(
            ServiceLine(item.name, item.role.value, item.reason, _change(item.role))
            for item in release.services
        ),
        routes=tuple(describe_routes(release)),
        notes=(
            f"{label} still runs: this is a switch",
            *retiring.kept_notes(release, observed),
        ),
    )


def _hand_work_back(steps: StepList, release: Release, current: Release | None) -> None:
    for role in (Role.SINGLE, Role.CONSUMER):
        for item in current.with_role(role) if current else ():
            limit = max(item.drain_seconds, item.stop_seconds)
            label = current.label if current else ""
            steps.add(
                StopContainers(current.handles(item) if current else (), limit),
                (
                    f"{item.name} {label}",
                    f"stop, at most {limit:.0f} s",
                    f"{release.label} takes over",
                ),
                (
                    StartContainers(current.handles(item) if current else (), limit),
                    "start again",
                ),
            )
        steps.barrier()
    workers = release.with_role(Role.CONSUMER, Role.SINGLE)
    if not workers:
        return
    names = tuple(name for item in workers for name in item.containers)
    keys = tuple(key for item in workers for key in item.compose_services)
    subject = f"{', '.join(item.name for item in workers)} {release.label}"
    if release.adopted:
        handles = release.handles(*workers)
        steps.add(
            StartContainers(handles),
            (subject, "start", "work goes on with the older code"),
            (StopContainers(handles, 30.0), "stop"),
        )
    else:
        steps.add(
            StartServices(release.stack, release.number, keys, names),
            (subject, "start", "work goes on with the older code"),
            (RemoveContainers(names, 30.0), "remove"),
        )
    steps.barrier()
    limit = max(item.ready_seconds for item in workers)
    steps.add(
        AwaitReady(release.stack, release.number, tuple(item.name for item in workers), limit),
        (subject, f"await ready, at most {limit:.0f} s", "it must stay up"),
    )
    steps.barrier()


def _change(role: Role) -> str:
    if role is Role.STATE:
        return "left alone"
    if role is Role.ROUTED:
        return "switched, still runs"
    return "never run" if role is Role.REPLACED else "started again"
