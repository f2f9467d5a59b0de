"""`berth rehearse ENV`: a whole copy of production beside it, on exactly what would ship.

The copy is a stack of its own, `app@env/rehearsal`: database, Redis, volumes, addresses, hosts and
secrets are its own, so its scheduler may run. Production gives one verified dump and nothing more.
A run that was killed is reversed by the next command, and the same command begins again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from berthmaster.domain.errors import BerthmasterError, InvalidSpec, NotAllowed, NotFound
from berthmaster.domain.names import StackId, check_name
from berthmaster.domain.plan import Plan
from berthmaster.domain.rehearsal import copy_of
from berthmaster.domain.release import Rehearses, Release, ReleaseService
from berthmaster.domain.spec import AppSpec, Overlay, Role
from berthmaster.engine.lease import HeldLease, hold
from berthmaster.planner.deploy import plan_deploy
from berthmaster.planner.putback import Restore, is_kept
from berthmaster.planner.rehearsing import plan_copy, point_of
from berthmaster.planner.tenants import dumpable
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome, carry_out, refuse_unfinished
from berthmaster.services.deploy import bring_out, reserve_slots
from berthmaster.services.observe import observe_stack
from berthmaster.services.prepare_release import Prepared, fingerprint_of, live_release
from berthmaster.services.rehearsals.secrets import give_secrets, other_settings, refuse_shared
from berthmaster.services.render_model import ReleaseRequest, environment_of
from berthmaster.services.tenant_spec import is_rehearsal, overlaid


@dataclass(frozen=True, slots=True)
class NewRehearsal:
    """What a person asked for."""

    stack: StackId  # of production
    folder: Path
    tag: str | None = None  # None: the one that production runs
    images: Mapping[str, str] = field(default_factory=dict)
    overlay: Overlay | None = None  # None: as production runs
    command: str = "berth rehearse"


@dataclass(frozen=True, slots=True)
class Begun:
    """A copy that serves, and where."""

    stack: StackId  # the copy
    of: Release  # what production runs
    outcome: Outcome
    hosts: tuple[str, ...]
    secret_count: int
    restored: tuple[str, ...]  # databases
    notes: tuple[str, ...]  # what is otherwise than in production
    seconds: float


async def rehearse(outside: Outside, wanted: NewRehearsal, progress: Progress) -> Begun:
    """Make the copy; raises `NotAllowed` when there is one, or when it would share a secret."""
    start = outside.clock.monotonic()
    live = _live(outside, wanted.stack)
    copy = copy_of(wanted.stack)
    spec = _spec(outside, wanted)
    _refuse_another(outside, copy)
    count = give_secrets(outside, wanted.folder, copy, spec)
    request = _request(outside, wanted, live)
    copied = replace(request, stack=copy)
    try:
        async with hold(outside.store, str(copy), what=wanted.command) as lease:
            refuse_unfinished(outside, copy)
            outside.store.add_stack(copy, str(wanted.folder))
            points = await _copy_data(outside, lease, live, copy, progress)

            async def make(prepared: Prepared) -> tuple[Release, Plan]:
                refuse_shared(outside, spec, live, prepared.release)
                about = Rehearses(live.number, fingerprint_of(outside, request))
                release = replace(prepared.release, rehearses=about)
                plan = await _plan(outside, replace(prepared, release=release), points, live)
                told = other_settings(outside, spec, live, release)
                return release, replace(plan, notes=(*plan.notes, *told))

            outcome = await bring_out(outside, lease, copied, progress, make)
    except BerthmasterError as error:
        error.next_command = error.next_command or f"berth rehearse finish {wanted.stack}"
        raise
    release = live_release(outside, copy)
    return Begun(
        copy,
        live,
        outcome,
        release.hosts if release else (),
        count,
        tuple(name for point in points.values() for name in point.databases),
        outcome.plan.notes,
        outside.clock.monotonic() - start,
    )


def _live(outside: Outside, stack: StackId) -> Release:
    if stack.tenant is not None:
        raise NotAllowed(f"{stack} is no environment: only a whole environment is rehearsed")
    live = live_release(outside, stack)
    if live is None:
        raise NotFound(
            f"{stack} runs no release: there is nothing to rehearse beside",
            next_command=f"berth deploy {stack}, or berth adopt PROJECT {stack}",
        )
    return live


def _spec(outside: Outside, wanted: NewRehearsal) -> AppSpec:
    spec = outside.specs.read(wanted.folder)
    there = environment_of(spec, wanted.stack)
    if not there.hosts:
        raise InvalidSpec(
            f"{wanted.stack} has no hosts, so its copy could not be reached",
            next_command=f"write environments: {{{there.name}: {{hosts: [...]}}}} into berth.yaml",
        )
    overlay = wanted.overlay or Overlay()
    for name in overlay.files:
        if not _is_file(wanted.folder / name):
            raise InvalidSpec("no such file", location=name)
    for name, other in overlay.renames.items():
        check_name("service", name)
        check_name("service", other)
    outside.specs.check_compose_files(wanted.folder, overlay.files)
    return overlaid(spec, there.name, overlay)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have: too long, for example
        return False


def _refuse_another(outside: Outside, copy: StackId) -> None:
    if not is_rehearsal(outside, copy):
        raise NotAllowed(f"{copy} is a tenant, whose name is that of the rehearsal")
    if live_release(outside, copy) is not None:
        environment = f"{copy.app}@{copy.environment}"
        raise NotAllowed(
            f"{environment} has a rehearsal already",
            next_command=f"berth rehearse finish {environment}, then again",
        )


def _request(outside: Outside, wanted: NewRehearsal, live: Release) -> ReleaseRequest:
    """What production's next release would be asked for with."""
    return ReleaseRequest(
        wanted.stack,
        wanted.folder,
        wanted.tag or (None if live.adopted else live.tag),  # r0's says nothing
        dict(wanted.images) or dict(live.images),
        command=wanted.command,
        overlay=outside.store.overlay(wanted.stack) if wanted.overlay is None else wanted.overlay,
    )


async def _copy_data(
    outside: Outside, lease: HeldLease, live: Release, copy: StackId, progress: Progress
) -> dict[str, Restore]:
    """Dump production's databases; returns by service what is put back into the copy's."""
    outside.files.prune_dumps(copy.project, 0)  # of a try that did not come to an end
    name = f"copy-{outside.clock.now():%Y%m%d-%H%M%S}"
    databases = await _databases(outside, live)
    observed = await observe_stack(outside, copy)
    await carry_out(outside, lease, plan_copy(copy, databases, observed, name), progress)
    points = {
        item.name: item
        for item in outside.databases.points(outside.files.dump_folder(copy.project))
    }
    stamp = outside.clock.now().strftime("%Y%m%d_%H%M%S")
    found = {}
    for service in databases:
        point = points[point_of(name, service)]
        names = tuple(item for item in point.databases if not is_kept(item))
        found[service.name] = Restore(point.name, "", names, stamp)
    return found


async def _databases(outside: Outside, live: Release) -> tuple[ReleaseService, ...]:
    """What a dump can be taken of; of what was adopted, the image says what it is."""
    found = []
    for item in live.with_role(Role.STATE):
        image = await outside.runtime.image(item.image.runs_as) if item.image else None
        names = image.repo_digests if image else ()
        values = dict(image.environment) if image else {}
        is_known = any(outside.databases.can_dump(name, values) for name in (*names, ""))
        if item.is_dumpable or is_known:
            found.append(item)
    return tuple(found)


async def _plan(
    outside: Outside, prepared: Prepared, points: Mapping[str, Restore], live: Release
) -> Plan:
    release = prepared.release
    observed = await observe_stack(outside, release.stack, release=release)
    databases = {item.name: item.containers[0] for item in dumpable(release)}
    restores = tuple(
        replace(point, container=databases[name])
        for name, point in points.items()
        if name in databases
    )
    slots = reserve_slots(outside, release)
    plan = plan_deploy(release, observed, slots=slots, verb="rehearse", restores=restores)
    return replace(
        plan,
        dropped=prepared.dropped,
        notes=(*plan.notes, *prepared.notes, *_empty(release, databases, live)),
        overrides=prepared.overrides,
        details={"tag": release.tag} if release.tag else {},
    )


def _empty(release: Release, databases: Mapping[str, str], live: Release) -> tuple[str, ...]:
    """What keeps data and begins without production's, and what production does not have."""
    theirs = {item.name for item in live.services}
    names = [item.name for item in release.with_role(Role.STATE) if item.name not in databases]
    return tuple(
        f"{name}: begins empty" if name in theirs else f"{name}: only in the rehearsal"
        for name in names
    )
