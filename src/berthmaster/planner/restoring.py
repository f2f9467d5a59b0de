"""A rollback that puts data back: the only way past an incompatible migration (D9).

The page goes up, everything that writes stops, each database of the restore point is restored into
a new one and verified, names are swapped (the old database stays under a dated name), and the older
release starts over it. Until the point of no return all of it can be reversed.
"""

from dataclasses import replace

from berthmaster.domain.plan import (
    Gap,
    Plan,
    SetMaintenance,
    StartContainers,
    StopContainers,
)
from berthmaster.domain.release import Release, ReleaseService
from berthmaster.domain.spec import JobMoment, Role
from berthmaster.planner import deploy, retiring, starting
from berthmaster.planner.observed import Observed
from berthmaster.planner.putback import Restore, drop_kept, put_back
from berthmaster.planner.steps import StepList


def plan_restore(
    release: Release, observed: Observed, restore: Restore, *, slots: tuple[int, ...]
) -> Plan:
    """Plan to run `release` again over the data of a restore point."""
    steps = StepList()
    deploy.bring_inputs(steps, release, observed)
    starting.start_state(steps, release, observed)
    _close(steps, release, observed)
    put_back(steps, release, restore)
    _run_jobs(steps, release, observed)
    _start(steps, release, observed, Role.ROUTED)
    deploy.smoke(steps, release)
    _start(steps, release, observed, Role.CONSUMER)
    _open(steps, release, observed, slots)
    _start(steps, release, observed, Role.SINGLE)
    deploy.watch(steps, release)
    retiring.retire_old(steps, release, observed)
    old = observed.live
    if old and old.number != release.number:
        retiring.retire(steps, old, "its schema is gone")
    kept = ", ".join(restore.kept(name) for name in restore.databases)
    return Plan(
        stack=release.stack,
        verb="rollback",
        old=old.number if old else None,
        new=release.number,
        based_on=observed.generation(),
        steps=steps.done(),
        services=tuple(deploy.service_line(item, observed) for item in release.services),
        gaps=(_gap(release),),
        routes=tuple(deploy.describe_routes(release)),
        notes=(
            f"what was written since {restore.point} is not in the restored data",
            f"the data of now is kept beside it: {kept}; drop it when you are sure",
        ),
        details={"restores": restore.point},
    )


def plan_bring_back(
    release: Release,
    observed: Observed,
    restores: tuple[Restore, ...],
    *,
    slots: tuple[int, ...],
    is_closed: bool = False,
) -> Plan:
    """Plan to run the live release of a lost server here, over the data of its backup.

    Nothing serves meanwhile, so there is no page, no watch and nothing to turn back to. The
    databases that the images made while they started are dropped in the end. What is closed gets
    nothing that would begin to work by itself.
    """
    observed = replace(observed, live=None, warm=())
    steps = StepList()
    deploy.bring_inputs(steps, release, observed)
    starting.start_state(steps, release, observed)
    for restore in restores:
        put_back(steps, release, restore)
    _run_jobs(steps, release, observed)
    for role in (Role.ROUTED,) if is_closed else (Role.ROUTED, Role.CONSUMER):
        _start(steps, release, observed, role)
    if release.routes:
        deploy.attach_and_switch(steps, release, observed, slots)
        if not observed.is_in_maintenance:
            deploy.probe_gateway(steps, release)
    if not is_closed:
        _start(steps, release, observed, Role.SINGLE)
    retiring.retire_old(steps, release, observed)
    drop_kept(steps, restores, "the image made it empty")
    return Plan(
        stack=release.stack,
        verb="restore",
        old=None,
        new=release.number,
        based_on=observed.generation(),
        steps=steps.done(),
        services=tuple(deploy.service_line(item, observed) for item in release.services),
        routes=tuple(deploy.describe_routes(release)),
    )


def _close(steps: StepList, release: Release, observed: Observed) -> None:
    """Put the page up, then stop all that may write."""
    if not observed.is_in_maintenance:
        steps.add(
            SetMaintenance(release.stack, True),
            (str(release.stack), "maintenance on", "data is put back"),
            (SetMaintenance(release.stack, False), "maintenance off"),
        )
        steps.barrier()
    running = [item for item in (observed.live, release, *observed.warm) if item]
    seen: set[int] = set()
    for one in running:
        if one.number in seen:
            continue
        seen.add(one.number)
        for service in one.with_role(Role.SINGLE, Role.CONSUMER, Role.ROUTED):
            _stop(steps, one, service, observed)
    steps.barrier()


def _stop(steps: StepList, one: Release, service: ReleaseService, observed: Observed) -> None:
    names = tuple(name for name in service.containers if name in observed.running)
    if names:
        limit = max(service.drain_seconds, service.stop_seconds)
        steps.add(
            StopContainers(names, limit),
            (f"{service.name} {one.label}", f"stop, at most {limit:.0f} s", "nothing may write"),
            (StartContainers(names, limit), "start again"),
        )


def _run_jobs(steps: StepList, release: Release, observed: Observed) -> None:
    """Not the migrations: the restored data has their schema. One that still is there was run."""
    for job in release.jobs:
        is_there = f"{release.project}-job-{job.name}" in observed.containers
        if job.when is JobMoment.BEFORE_SWITCH and not job.is_migration and not is_there:
            deploy.run_job(steps, release, job, f"{release.label} needs it before it serves")


def _start(steps: StepList, release: Release, observed: Observed, role: Role) -> None:
    """Start services in order; containers that are there already are stopped again by the undo."""
    for wave in starting.waves(release.with_role(role)):
        names = tuple(name for item in wave for name in item.containers)
        there = tuple(name for name in names if name in observed.containers)
        if there == names:
            limit = max(item.stop_seconds for item in wave)
            subject = ", ".join(item.name for item in wave)
            steps.add(
                StartContainers(names),
                (f"{subject} {release.label}", "start again", "over the restored data"),
                (StopContainers(names, limit), "stop"),
            )
            steps.barrier()
        else:
            starting.start(steps, release, wave, "over the restored data")
        starting.await_ready(steps, release, wave, "gate before the switch")
        steps.barrier()


def _open(steps: StepList, release: Release, observed: Observed, slots: tuple[int, ...]) -> None:
    if release.routes:
        deploy.attach_and_switch(steps, release, observed, slots)
    if not observed.is_in_maintenance:
        steps.add(
            SetMaintenance(release.stack, False),
            (str(release.stack), "maintenance off", f"{release.label} serves"),
            (SetMaintenance(release.stack, True), "maintenance on"),
        )
        steps.barrier()
    if release.routes:
        deploy.probe_gateway(steps, release)


def _gap(release: Release) -> Gap:
    ready = max((item.ready_seconds for item in release.with_role(Role.ROUTED)), default=0.0)
    why = "and for as long as the restore takes, about 1 s for 100 MB"
    return Gap("maintenance page", ready, why)
