"""Starting what a release needs, in the order in which its services depend on each other.

State services are started only where they are missing, each by the record that was applied to it
last; app services always by the release. Plans only.
"""

from graphlib import CycleError, TopologicalSorter

from berthmaster.domain.errors import InvalidSpec, NotAllowed
from berthmaster.domain.plan import (
    AwaitReady,
    PlaceFiles,
    RemoveContainers,
    SetPassword,
    StartContainers,
    StartServices,
    StartState,
    StopContainers,
)
from berthmaster.domain.release import Release, ReleaseService
from berthmaster.domain.spec import Role
from berthmaster.planner.observed import Observed
from berthmaster.planner.state import own_files
from berthmaster.planner.steps import StepList


def start_state(steps: StepList, release: Release, observed: Observed) -> None:
    """Start what is not there, each by the record that was applied to it last; change nothing."""
    stopped = [
        record.adopted.get(name, name)
        for record, services in _by_record(release, observed)
        for item in services
        for name in item.containers
        if name in observed.containers and name not in observed.running
    ]
    for record, services in _by_record(release, observed):
        _start_missing(steps, release, record, services, observed)
    if stopped:
        steps.add(
            StartContainers(tuple(stopped)),
            (", ".join(stopped), "start again", "stopped, and the release needs it"),
        )
    for record, services in _by_record(release, observed):
        await_ready(steps, record, services, "the release depends on it")
    steps.barrier()
    set_passwords(steps, release, observed)


def set_passwords(steps: StepList, release: Release, observed: Observed) -> None:
    """Set the release's password in each database that has the live release's; the undo sets it
    back.

    A database knows one password at a time, so new connections of the other release fail until the
    switch; those that are open stay open.
    """
    for service in passwords_to_set(release, observed):
        if observed.live is None:
            continue
        container, old = service.containers[0], observed.live
        steps.add(
            SetPassword(release.stack, release.number, service.name, container),
            (service.name, f"set the password of {release.label}", "its secret is another one"),
            (
                SetPassword(release.stack, old.number, service.name, container),
                f"set the password of {old.label}",
            ),
        )
    steps.barrier()


def passwords_to_set(release: Release, observed: Observed) -> tuple[ReleaseService, ...]:
    """The databases whose password changes hands with this release."""
    state = release.with_role(Role.STATE)
    return tuple(item for item in state if item.name in observed.other_passwords)


def _by_record(
    release: Release, observed: Observed
) -> list[tuple[Release, tuple[ReleaseService, ...]]]:
    """The release's state services as they run or will, grouped by the record they run by."""
    found: dict[int, tuple[Release, tuple[ReleaseService, ...]]] = {}
    for service in release.with_role(Role.STATE):
        record = observed.applied.get(service.name, release)
        applied = next((item for item in record.services if item.name == service.name), service)
        _, known = found.get(record.number, (record, ()))
        found[record.number] = (record, (*known, applied))
    return [found[number] for number in sorted(found)]


def _start_missing(
    steps: StepList,
    release: Release,
    record: Release,
    services: tuple[ReleaseService, ...],
    observed: Observed,
) -> None:
    missing = [item for item in services if not observed.containers.issuperset(item.containers)]
    if not missing:
        return
    if record.adopted:
        raise NotAllowed(
            f"{names_of(missing)}: the container that was adopted is gone, or another one has its"
            " name",
            next_command=f"berth deploy {release.stack} --state {missing[0].name}",
        )
    if own_files(record):
        steps.add(
            PlaceFiles(record.stack, record.number),
            (f"files {record.label}", "place what is missing", "state services mount them"),
        )
        steps.barrier()
    names = tuple(name for item in missing for name in item.containers)
    keys = tuple(key for item in missing for key in item.compose_services)
    by = "" if record.number == release.number else f" by {record.label}"
    steps.add(
        StartState(release.stack, record.number, keys, names),
        (names_of(missing), f"start{by}", "not there yet; state outlives releases"),
        (RemoveContainers(names, 30.0), "remove containers, keep volumes"),
    )


def start(
    steps: StepList, release: Release, services: tuple[ReleaseService, ...], cause: str
) -> None:
    """Add the start of app services of a release."""
    names = tuple(name for item in services for name in item.containers)
    keys = tuple(key for item in services for key in item.compose_services)
    limit = max(_undo_seconds(item) for item in services)
    if release.adopted:
        handles = release.handles(*services)
        steps.add(
            StartContainers(handles),
            (f"{names_of(services)} {release.label}", "start", cause),
            (StopContainers(handles, limit), "stop"),
        )
        steps.barrier()
        return
    steps.add(
        StartServices(release.stack, release.number, keys, names),
        (f"{names_of(services)} {release.label}", "start", cause),
        (RemoveContainers(names, limit), "remove"),
    )
    steps.barrier()


def _undo_seconds(service: ReleaseService) -> float:
    """How long a new container may take to stop: a routed one that never served has no requests."""
    if service.role is Role.ROUTED:
        return service.stop_seconds
    return max(service.drain_seconds, service.stop_seconds)


def await_ready(
    steps: StepList, release: Release, services: tuple[ReleaseService, ...], cause: str
) -> None:
    """Add the gate over services that were started."""
    limit = max(item.ready_seconds for item in services)
    names = tuple(item.name for item in services)
    steps.barrier()
    steps.add(
        AwaitReady(release.stack, release.number, names, limit),
        (names_of(services), f"await ready, at most {limit:.0f} s", cause),
    )


def waves(services: tuple[ReleaseService, ...]) -> list[tuple[ReleaseService, ...]]:
    """Group services so that each starts after those it depends on; raises `InvalidSpec` for a
    circle.
    """
    by_name = {service.name: service for service in services}
    sorter = TopologicalSorter(
        {
            name: [other for other in item.after if other in by_name]
            for name, item in by_name.items()
        }
    )
    try:
        sorter.prepare()
    except CycleError as error:
        raise InvalidSpec(f"services depend on each other in a circle: {error.args[1]}") from error
    groups: list[tuple[ReleaseService, ...]] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        groups.append(tuple(by_name[name] for name in ready))
        sorter.done(*ready)
    return groups


def names_of(services: tuple[ReleaseService, ...] | list[ReleaseService]) -> str:
    """Services by name, as plans print them."""
    return ", ".join(service.name for service in services)
