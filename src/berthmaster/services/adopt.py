"""`berth adopt PROJECT`: what a Compose project runs becomes release 0 of a stack, as it is.

Nothing is copied, recreated or restarted. `berth.yaml` says what each service is; what runs is
looked at, recorded by id, and given back by `--undo`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from berthmaster.domain.container import (
    ONE_OFF_LABEL,
    PROJECT_LABEL,
    SERVICE_LABEL,
    VOLUME_LABEL,
    Container,
)
from berthmaster.domain.errors import BerthmasterError, LeaseLost, NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan
from berthmaster.domain.release import ADOPTED, ImagePin, Release, ReleaseRoute, ReleaseService
from berthmaster.domain.spec import Role
from berthmaster.engine.lease import hold
from berthmaster.planner.adopting import plan_adopt, plan_give_back
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome, carry_out, refuse_unfinished
from berthmaster.services.check_surroundings import refuse_without_gateway
from berthmaster.services.deploy import give_back as free_reservations
from berthmaster.services.deploy import reserve_slots
from berthmaster.services.observe import adopted_containers, observe_stack
from berthmaster.services.pin_images import PinnedImages
from berthmaster.services.prepare_release import render_record
from berthmaster.services.refuse_wandering import refuse_wandering
from berthmaster.services.render_model import ReleaseRequest, Rendering, render_model

_ANY_TAG = "0"  # what runs is looked at; which tag the files would take does not count


@dataclass(frozen=True, slots=True)
class _Found:
    """The project as it runs."""

    project: str
    containers: Mapping[str, tuple[Container, ...]]  # by service
    volumes: Mapping[str, str]  # by key in the Compose files
    networks: tuple[str, ...]  # that its containers are in


async def plan_adoption(outside: Outside, request: ReleaseRequest, project: str) -> Plan:
    """What adopting would do; changes nothing and keeps no reservation."""
    refuse_known(outside, request.stack, project)
    try:
        return await _plan(outside, request, project)
    finally:
        if outside.store.release(request.stack, ADOPTED) is None:
            free_reservations(outside, request.stack, ADOPTED)


async def adopt(
    outside: Outside, request: ReleaseRequest, project: str, progress: Progress
) -> Outcome:
    """Adopt under the stack's lease; a refused adoption leaves everything as it was."""
    stack = request.stack
    async with hold(outside.store, str(stack), what="berth adopt") as lease:
        refuse_unfinished(outside, stack)
        refuse_known(outside, stack, project)
        try:
            release, notes = await _release(outside, request, project)
            outside.store.add_stack(stack, str(request.folder))
            _record(outside, release)
            plan = await _planned(outside, release, notes)
            return await carry_out(outside, lease, plan, progress)
        except LeaseLost:
            raise
        except (BerthmasterError, asyncio.CancelledError):
            forget_refused(outside, stack)
            raise


async def plan_undo(outside: Outside, stack: StackId, project: str) -> Plan:
    """The plan that gives the project back; raises `NotAllowed` while something else serves."""
    release = outside.store.release(stack, ADOPTED)
    record = outside.store.stack(stack)
    if release is None or not release.adopted or record is None:
        raise NotFound(f"{stack} was not adopted", next_command="berth status")
    if release.adopted_from != project:
        raise NotAllowed(f"{stack} was adopted from the project {release.adopted_from}")
    if record.live != ADOPTED:
        raise NotAllowed(
            f"{stack}: r{record.live} serves, and only what was adopted can be given back",
            next_command=f"berth rollback {stack} --to r0",
        )
    changed = [name for name, number in outside.store.applied_states(stack).items() if number]
    if changed:
        raise NotAllowed(
            f"{stack}: {', '.join(changed)} was changed since and is Berthmaster's now",
            next_command=f"berth destroy {stack}, which keeps what was adopted",
        )
    found = await adopted_containers(outside, stack)
    _refuse_replaced(release, found)
    stopped = tuple(item.id for item in found if not item.is_running)
    observed = await observe_stack(outside, stack, release=release)
    numbers = tuple(item.number for item in outside.store.releases(stack))
    return plan_give_back(release, observed, numbers=numbers, stopped=stopped)


async def undo(outside: Outside, stack: StackId, project: str, progress: Progress) -> Outcome:
    """Give the project back."""
    async with hold(outside.store, str(stack), what="berth adopt --undo") as lease:
        refuse_unfinished(outside, stack)
        plan = await plan_undo(outside, stack, project)
        return await carry_out(outside, lease, plan, progress)


def forget_refused(outside: Outside, stack: StackId) -> None:
    """A stack that was never adopted leaves no trace; not while its deployment is unfinished."""
    record = outside.store.stack(stack)
    is_unfinished = any(item.stack == stack for item in outside.store.unfinished())
    if is_unfinished or (record is not None and record.live is not None):
        return
    if record is None or all(item.number == ADOPTED for item in outside.store.releases(stack)):
        free_reservations(outside, stack, ADOPTED)
        outside.store.forget_stack(stack)


def refuse_known(outside: Outside, stack: StackId, project: str) -> None:
    """Raise `NotAllowed` for a stack that is there, and for a project that is adopted already."""
    record = outside.store.stack(stack)
    if record is not None and (record.live is not None or outside.store.releases(stack)):
        raise NotAllowed(
            f"{stack} is there already; a running project becomes a stack of its own",
            next_command=f"berth status {stack}",
        )
    for other in outside.store.stacks():
        release = outside.store.release(other.id, ADOPTED)
        if release is not None and release.adopted_from == project:
            raise NotAllowed(
                f"the project {project} is adopted already, as {other.id}",
                next_command=f"berth status {other.id}",
            )


def _record(outside: Outside, release: Release) -> None:
    if outside.store.release(release.stack, ADOPTED) is None:
        outside.store.add_release(release)


async def _plan(outside: Outside, request: ReleaseRequest, project: str) -> Plan:
    release, notes = await _release(outside, request, project)
    return await _planned(outside, release, notes)


async def _planned(outside: Outside, release: Release, notes: tuple[str, ...]) -> Plan:
    await refuse_without_gateway(outside, release)
    observed = await observe_stack(outside, release.stack, release=release)
    slots = reserve_slots(outside, release)
    return plan_adopt(release, observed, slots=slots, notes=notes)


async def _release(
    outside: Outside, request: ReleaseRequest, project: str
) -> tuple[Release, tuple[str, ...]]:
    """Release 0: the record that the files render to, made of the containers that run."""
    found = await _look(outside, project)
    spec = outside.specs.read(request.folder)
    if outside.specs.versioned_services(spec, request.stack.environment):
        request = replace(request, tag=request.tag or _ANY_TAG)
    rendering = _as_it_runs(await render_model(outside, request), found)
    refuse_unfit(rendering, found)
    routed = {route.service for route in rendering.spec.routes}
    members = [item for name in sorted(routed) for item in _running(found.containers.get(name, ()))]
    await refuse_wandering(outside, project, members)
    pinned = PinnedImages(await _pins(outside, rendering, found), {}, ())
    release = await render_record(outside, request, rendering, pinned, ADOPTED)
    return _adopted(release, found), _notes(rendering, found)


async def _look(outside: Outside, project: str) -> _Found:
    labels = {PROJECT_LABEL: project}
    rows = await outside.runtime.containers(labels, detailed=True)
    volumes = await outside.runtime.volumes(labels)
    by_service: dict[str, list[Container]] = {}
    for item in rows:
        if item.labels.get(ONE_OFF_LABEL, "False") != "True":
            by_service.setdefault(item.labels.get(SERVICE_LABEL, item.name), []).append(item)
    if not by_service:
        raise NotFound(
            f"no container of a Compose project {project!r} is here",
            next_command="docker compose ls --all",
        )
    return _Found(
        project,
        {name: tuple(items) for name, items in sorted(by_service.items())},
        {item.labels[VOLUME_LABEL]: item.name for item in volumes if VOLUME_LABEL in item.labels},
        tuple(sorted({network for item in rows for network in item.addresses})),
    )


def _as_it_runs(rendering: Rendering, found: _Found) -> Rendering:
    """The same files with as many replicas as there are, so that each container is a member."""
    counts = {name: len(_running(items)) for name, items in found.containers.items()}
    there = rendering.environment
    replicas = {**there.replicas, **{name: count for name, count in counts.items() if count}}
    environment = replace(there, replicas=replicas)
    environments = {**rendering.spec.environments, environment.name: environment}
    spec = replace(rendering.spec, environments=environments, jobs=(), sites=(), smoke=())
    return replace(rendering, spec=spec, environment=environment)


def refuse_unfit(rendering: Rendering, found: _Found) -> None:
    """Raise `NotAllowed` with everything that cannot be adopted, and what to do about each."""
    problems = []
    routed = {route.service for route in rendering.spec.routes}
    for decision in rendering.decisions:
        items = found.containers.get(decision.service, ())
        running = _running(items)
        name = decision.service
        if name in routed and not running:
            problems.append(f"{name} has a route and does not run: docker compose up -d {name}")
        if decision.role is Role.STATE and len(running) > 1:
            problems.append(f"{name} keeps data and runs {len(running)} times: scale it to one")
        if decision.role in (Role.ROUTED, Role.STATE):
            problems += [
                f"{item.name} has no network of its own (network_mode): give it one first"
                for item in running
                if not item.addresses
            ]
        problems += [
            f"{item.name} is {item.state}: docker compose up -d {name}, or take the service out"
            for item in items
            if item.state in ("restarting", "paused", "dead")
        ]
    if problems:
        lines = "\n".join(f"  {line}" for line in problems)
        raise NotAllowed(f"{found.project} cannot be adopted as it is:\n{lines}")


def _running(items: Sequence[Container]) -> tuple[Container, ...]:
    return tuple(item for item in items if item.is_running)


async def _pins(outside: Outside, rendering: Rendering, found: _Found) -> dict[str, ImagePin]:
    """By id; under the name that the files have for it, as long as that name means this image."""
    pins = {}
    for name, items in found.containers.items():
        image_id = items[0].image_id
        asked = str(rendering.model["services"].get(name, {}).get("image") or "")
        named = await outside.runtime.image(asked) if asked else None
        is_same = named is not None and named.id == image_id
        pins[name] = ImagePin(asked if is_same else image_id, image_id, image_id)
    return pins


def _adopted(release: Release, found: _Found) -> Release:
    """The record with the containers that are there, in networks that sort behind their own.

    A container's way out goes through the network whose name comes first: it stays as it was.
    """
    last = max(found.networks, default=release.stack.project)
    taken: dict[str, str] = {}  # name that ours would have -> name of the one that is there
    services = []
    for service in release.services:
        running = _running(found.containers.get(service.name, ()))
        is_member = service.role not in (Role.REPLACED, Role.JOB)
        names = tuple(item.name for item in running) if is_member else ()
        taken |= dict(zip(service.containers, names, strict=False))
        services.append(replace(service, containers=names, compose_services=()))
    members = {name for service in services for name in service.containers}
    ids = {item.name: item.id for items in found.containers.values() for item in items}
    return replace(
        release,
        artifact=f"adopted-{found.project}",
        fingerprint="adopted",  # the first deploy is never one without a change
        services=tuple(_without_spare_keys(item) for item in services),
        routes=tuple(_route(item, taken) for item in release.routes),
        network=replace(release.network, name=f"{last}.{release.network.name}"),
        stack_network=replace(release.stack_network, name=f"{last}.{release.stack_network.name}"),
        volumes=(),
        files=(),
        jobs=(),
        smoke=(),
        adopted={name: ids[name] for name in sorted(members)},
        adopted_from=found.project,
        volume_names=dict(found.volumes),
    )


def _without_spare_keys(service: ReleaseService) -> ReleaseService:
    return replace(service, compose_services=tuple(service.containers))


def _route(route: ReleaseRoute, taken: Mapping[str, str]) -> ReleaseRoute:
    upstreams = tuple(
        replace(item, container=taken[item.container])
        for item in route.upstreams
        if item.container in taken
    )
    return replace(route, upstreams=upstreams)


def _notes(rendering: Rendering, found: _Found) -> tuple[str, ...]:
    known = {item.service: item.role for item in rendering.decisions}
    notes = [
        f"{name}: berth.yaml and the Compose files do not know it; it is left alone"
        for name in found.containers
        if name not in known
    ]
    for name, role in known.items():
        if role is Role.REPLACED and name in found.containers:
            notes.append(f"{name}: your proxy goes on running; it is not part of the stack")
        elif role.is_app_service and not _running(found.containers.get(name, ())):
            notes.append(f"{name}: does not run and is no part of r0")
    refused = [item for item in rendering.violations if item.is_allowed_by is None]
    notes += [f"the first deploy will refuse: {item.service}: {item.evidence}" for item in refused]
    return tuple(notes)


def _refuse_replaced(release: Release, found: Sequence[Container]) -> None:
    gone = sorted(release.adopted.keys() - {item.name for item in found})
    if gone:
        raise NotAllowed(
            f"{', '.join(gone)}: gone, or made anew since it was adopted; it cannot be given back",
            next_command=f"docker compose -p {release.adopted_from} up -d",
        )
