"""Changing state services on purpose (D9): restore point, stop, start, gate; and the way back.

A release never carries them: what runs is the record that was applied last, told by
`Observed.applied`. Plans only; what differs is told by `planner/statediff.py`.
"""

from dataclasses import replace

from berthmaster.domain.plan import (
    AwaitReady,
    CreateVolume,
    Gap,
    LeaveNetwork,
    PlaceFiles,
    Plan,
    PullImage,
    RecordStates,
    RemoveContainers,
    RemoveFiles,
    ServiceLine,
    StartContainers,
    StartState,
    StopContainers,
    TakeRestorePoint,
)
from berthmaster.domain.release import Release, ReleaseService
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.spec import Role
from berthmaster.planner.joining import joined
from berthmaster.planner.observed import Observed
from berthmaster.planner.steps import StepList


def state_record(release: Release, services: frozenset[str]) -> Release:
    """What of a prepared release belongs to a change of these state services, and nothing else.

    Its files lie in a folder of its own, so that those of the running services stay as they are.
    """
    part = state_part(release, services)
    return replace(part, files=tuple(replace(item, is_state=False) for item in part.files))


def state_part(release: Release, services: frozenset[str]) -> Release:
    """What of a release these state services run by; it can never serve."""
    chosen = tuple(item for item in release.with_role(Role.STATE) if item.name in services)
    keys = {key for item in chosen for key in item.compose_services}
    model = {name: item for name, item in release.state_model["services"].items() if name in keys}
    return replace(
        release,
        services=chosen,
        routes=(),
        hosts=(),
        jobs=(),
        smoke=(),
        model={"services": {}},
        state_model={**release.state_model, "services": model},
        files=release.files
        if release.state is ReleaseState.STATE
        else tuple(item for item in release.files if item.is_state),
    )


def own_files(record: Release) -> bool:
    """Whether the record of a state change brought files of its own."""
    is_change = record.state is ReleaseState.STATE
    return is_change and any(not item.is_state for item in record.files)


def plan_state_change(record: Release, observed: Observed, *, notes: tuple[str, ...] = ()) -> Plan:
    """Plan to run the state services of `record` by it instead of by what was applied before."""
    steps = StepList()
    _bring(steps, record, observed)
    for service in record.services:
        _change(steps, record, service, observed)
    steps.point_of_no_return()
    names = tuple(item.name for item in record.services)
    steps.add(
        RecordStates(record.stack, record.number, names),
        (", ".join(names), f"record as {record.label}", "what runs is what was asked for"),
    )
    steps.barrier()
    _forget_files(steps, record, observed)
    live = observed.live.number if observed.live else None
    return Plan(
        stack=record.stack,
        verb="state",
        old=live,
        new=live,
        based_on=observed.generation(),
        steps=steps.done(),
        services=tuple(
            ServiceLine(item.name, item.role.value, "asked for", "changed")
            for item in record.services
        ),
        gaps=tuple(_gap(item) for item in record.services if _is_there(item, observed)),
        notes=notes,
        details={"record": record.label},
    )


def _bring(steps: StepList, record: Release, observed: Observed) -> None:
    for service in record.services:
        pin = service.image
        if pin and pin.runs_as not in observed.images:
            steps.add(PullImage(pin.runs_as, pin.reference), (service.name, "pull", pin.reference))
    for volume in record.volumes:
        if volume not in observed.volumes:
            steps.add(
                CreateVolume(volume, record.stack),
                (f"volume {volume}", "create", "data of the stack"),
            )
    if record.files:
        steps.add(
            PlaceFiles(record.stack, record.number),
            (f"files {record.label}", "place", "state services mount them"),
            (RemoveFiles(record.stack, record.number), "remove them"),
        )
    steps.barrier()


def _change(steps: StepList, record: Release, service: ReleaseService, observed: Observed) -> None:
    stack, number, name = record.stack, record.number, service.name
    keys, containers = service.compose_services, service.containers
    there = _now(service, observed)
    if there and observed.running.issuperset(there) and service.is_dumpable:
        point = TakeRestorePoint(stack, number, name, there[0], f"before-{name}-{number}")
        steps.add(point, (name, "take restore point", f"{name} is changed after it"))
        steps.barrier()
    if name in observed.applied and observed.applied[name].adopted:
        _set_adopted_aside(steps, service, observed.applied[name])
    elif _is_there(service, observed):
        _end_old(steps, service, observed)
    steps.add(
        StartState(stack, number, keys, containers),
        (name, f"start by {record.label}", "by its changed definition"),
        (RemoveContainers(containers, service.stop_seconds), "remove container, keep volumes"),
    )
    steps.barrier()
    steps.add(
        AwaitReady(stack, number, (name,), service.ready_seconds),
        (name, f"await ready, at most {service.ready_seconds:.0f} s", "gate, or the old one again"),
    )
    steps.barrier()


def _now(service: ReleaseService, observed: Observed) -> tuple[str, ...]:
    """The containers that keep its data now; of an adopted one they have another name."""
    record = observed.applied.get(service.name)
    services = record.services if record else ()
    return next((item for item in services if item.name == service.name), service).containers


def _set_adopted_aside(steps: StepList, service: ReleaseService, old: Release) -> None:
    """Stop the container that was adopted, and keep it: from now on the service is ours."""
    adopted = next(item for item in old.services if item.name == service.name)
    handles, limit = old.handles(adopted), service.stop_seconds
    steps.add(
        StopContainers(handles, limit),
        (service.name, f"stop, at most {limit:.0f} s", "its definition changes; it is kept"),
        (StartContainers(handles, limit), "start again"),
    )
    steps.barrier()
    for name, action in joined(old):
        if action.container in handles:
            steps.add(
                LeaveNetwork(action.network, action.container),
                (name, f"leave {action.network}", "its successor has its names"),
                (action, "join it again"),
            )
    steps.barrier()


def _end_old(steps: StepList, service: ReleaseService, observed: Observed) -> None:
    """Stop and remove; the undo starts the old definition again, over the same volumes."""
    name, containers = service.name, service.containers
    old = observed.applied[name]
    limit = service.stop_seconds
    if observed.running.intersection(containers):
        steps.add(
            StopContainers(containers, limit),
            (name, f"stop, at most {limit:.0f} s", "its definition changes"),
            (StartContainers(containers, limit), "start again"),
        )
        steps.barrier()
    steps.add(
        RemoveContainers(containers, limit),
        (name, "remove container, keep volumes", "its definition changes"),
        (
            StartState(observed.stack, old.number, service.compose_services, containers),
            f"start by {old.label}",
        ),
    )
    steps.barrier()


def _forget_files(steps: StepList, record: Release, observed: Observed) -> None:
    """Files of earlier changes that no service mounts any more."""
    changed = {item.name for item in record.services}
    still = {item.number for name, item in observed.applied.items() if name not in changed}
    for number in sorted(
        {old.number for name, old in observed.applied.items() if name in changed and own_files(old)}
        - still
    ):
        steps.add(
            RemoveFiles(record.stack, number),
            (f"files r{number}", "remove placed files", "nobody mounts them any more"),
        )


def _is_there(service: ReleaseService, observed: Observed) -> bool:
    return service.name in observed.applied and bool(
        observed.containers.intersection(_now(service, observed))
    )


def _gap(service: ReleaseService) -> Gap:
    why = (
        f"expected: it stops within {service.stop_seconds:.0f} s and is ready within "
        f"{service.ready_seconds:.0f} s; app services stay running"
    )
    return Gap(f"{service.name} down", service.stop_seconds + service.ready_seconds, why)
