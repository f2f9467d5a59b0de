"""Plans about a tenant's stack as a whole: close it, open it again, back it up, end it.

Closing keeps all data and every address; departing closes and dumps. Ending takes a verified
backup first, and only when that is whole comes the point of no return.
"""

import re
from dataclasses import replace

from berthmaster.domain.plan import (
    Plan,
    SetMaintenance,
    StartContainers,
    StopContainers,
    TakeRestorePoint,
)
from berthmaster.domain.release import Release, ReleaseService
from berthmaster.domain.spec import Role
from berthmaster.planner import composemodel as compose
from berthmaster.planner import deploy, starting
from berthmaster.planner.destroy import end_stack
from berthmaster.planner.observed import Observed
from berthmaster.planner.steps import StepList

STOP_SECONDS = 30.0


def plan_suspend(observed: Observed) -> Plan:
    """Plan to answer with the 503 page and to stop everything; all of it can be reversed."""
    steps = StepList()
    _close(steps, observed, "it is suspended")
    _stop(steps, _state(observed), "its data stays as it is")
    live = observed.live.number if observed.live else None
    return Plan(observed.stack, "suspend", live, live, observed.generation(), steps.done())


def plan_unsuspend(release: Release, observed: Observed) -> Plan:
    """Plan to start what was stopped, to gate it, and to take the page away."""
    steps = StepList()
    _start_state(steps, release, observed)
    for role in (Role.ROUTED, Role.CONSUMER, Role.SINGLE):
        for wave in starting.waves(release.with_role(role)):
            _start(steps, release, wave, observed)
    if release.routes:
        deploy.probe_gateway(steps, release)
    if observed.is_in_maintenance:
        steps.add(
            SetMaintenance(release.stack, False),
            (str(release.stack), "maintenance off", "it is not suspended any more"),
            (SetMaintenance(release.stack, True), "maintenance on"),
        )
    return Plan(
        observed.stack,
        "unsuspend",
        release.number,
        release.number,
        observed.generation(),
        steps.done(),
    )


def plan_backup(release: Release, observed: Observed, name: str) -> Plan:
    """Plan to dump every database of a stack while it serves."""
    steps = StepList()
    _take(steps, release, name, "asked for")
    return Plan(
        observed.stack,
        "backup",
        release.number,
        release.number,
        observed.generation(),
        steps.done(),
    )


def plan_departure(release: Release, observed: Observed, name: str) -> Plan:
    """Plan to close a stack, to dump every database after the last write, and to stop it whole.

    What is closed already is dumped once more: nothing has changed since.
    """
    steps = StepList()
    _close(steps, observed, "nothing may change after the dump")
    _start_state(steps, release, observed)
    _take(steps, release, name, "the last state of its data")
    names = tuple(name for item in release.with_role(Role.STATE) for name in item.containers)
    _stop(steps, names, "it serves elsewhere from now on")
    return Plan(
        observed.stack,
        "depart",
        release.number,
        release.number,
        observed.generation(),
        steps.done(),
    )


def plan_remove(
    release: Release, observed: Observed, *, numbers: tuple[int, ...], backup: str
) -> Plan:
    """Plan to end a tenant's stack: close it, back it up, then remove it.

    Volumes that no dump holds stay: they are the tombstone's.
    """
    steps = StepList()
    _close(steps, observed, "it is removed")
    _start_state(steps, release, observed)
    _take(steps, release, backup, "the last state of its data")
    kept = frozenset(undumped_volumes(release)) & observed.volumes
    end_stack(
        steps, replace(observed, is_in_maintenance=True), numbers, kept
    )  # since it was closed
    notes = (f"kept until it is forgotten: {', '.join(sorted(kept))}",) if kept else ()
    return Plan(
        observed.stack,
        "remove",
        release.number,
        None,
        observed.generation(),
        steps.done(),
        notes=notes,
    )


def dumpable(release: Release) -> tuple[ReleaseService, ...]:
    """The databases that a backup holds."""
    return tuple(item for item in release.with_role(Role.STATE) if item.is_dumpable)


def backup_names(release: Release, name: str) -> tuple[str, ...]:
    """The restore points that a backup is made of, one for each database."""
    found = dumpable(release)
    return tuple(_point(found, item, name) for item in found)


def undumped_volumes(release: Release) -> tuple[str, ...]:
    """The stack's volumes whose content is in no dump."""
    covered = {key for item in dumpable(release) for key in item.compose_services}
    services = (release.state_model.get("services") or {}).items()
    held = {
        str((release.state_model.get("volumes") or {}).get(mount.source, {}).get("name"))
        for key, definition in services
        if key in covered
        for mount in compose.mounts_of(definition)
        if mount.kind == "volume" and mount.source
    }
    return tuple(sorted(set(release.volumes) - held))


def _close(steps: StepList, observed: Observed, cause: str) -> None:
    """Visitors get the page, then the app stops; state goes on."""
    stack = observed.stack
    if not observed.is_in_maintenance:
        steps.add(
            SetMaintenance(stack, True),
            (str(stack), "maintenance on", cause),
            (SetMaintenance(stack, False), "maintenance off"),
        )
        steps.barrier()
    _stop(steps, _app(observed), cause)


def _stop(steps: StepList, names: tuple[str, ...], cause: str) -> None:
    if names:
        steps.add(
            StopContainers(names, STOP_SECONDS),
            (", ".join(names), f"stop, at most {STOP_SECONDS:.0f} s", cause),
            (StartContainers(names, STOP_SECONDS), "start again"),
        )
        steps.barrier()


def _start_state(steps: StepList, release: Release, observed: Observed) -> None:
    """Start databases that were stopped, and stop them again when it is turned back."""
    state = release.with_role(Role.STATE)
    names = tuple(name for item in state for name in item.containers)
    if not observed.containers.issuperset(names):
        starting.start_state(steps, release, observed)
        return
    stopped = tuple(name for name in names if name not in observed.running)
    if not stopped:
        return
    steps.add(
        StartContainers(stopped),
        (", ".join(stopped), "start again", "it was stopped"),
        (StopContainers(stopped, STOP_SECONDS), "stop"),
    )
    starting.await_ready(steps, release, state, "the release depends on it")
    steps.barrier()


def _start(
    steps: StepList, release: Release, wave: tuple[ReleaseService, ...], observed: Observed
) -> None:
    """Containers that are there are started, and stopped again by the undo; others are made."""
    names = tuple(name for item in wave for name in item.containers)
    if observed.running.issuperset(names):
        return
    if observed.containers.issuperset(names):
        limit = max(item.stop_seconds for item in wave)
        steps.add(
            StartContainers(names),
            (f"{starting.names_of(wave)} {release.label}", "start again", "it was stopped"),
            (StopContainers(names, limit), "stop"),
        )
        steps.barrier()
    else:
        starting.start(steps, release, wave, "it is gone")
    starting.await_ready(steps, release, wave, "gate before the page goes")
    steps.barrier()


def _take(steps: StepList, release: Release, name: str, cause: str) -> None:
    found = dumpable(release)
    for item in found:
        steps.add(
            TakeRestorePoint(
                release.stack,
                release.number,
                item.name,
                item.containers[0],
                _point(found, item, name),
            ),
            (item.name, "take restore point", cause),
        )
    steps.barrier()


def _point(found: tuple[ReleaseService, ...], item: ReleaseService, name: str) -> str:
    return name if len(found) == 1 else f"{name}-{item.name}"


def _app(observed: Observed) -> tuple[str, ...]:
    of_release = re.compile(re.escape(observed.stack.project) + r"-r\d+-")
    return tuple(sorted(name for name in observed.running if of_release.match(name)))


def _state(observed: Observed) -> tuple[str, ...]:
    return tuple(sorted(observed.running - set(_app(observed))))
