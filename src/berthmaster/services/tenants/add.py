"""`berth tenant add`: from a name to a stack that answers, in one go that can be begun again.

What was decided is recorded first (name, hosts, values); then secrets are made and the release is
deployed like any other. A run that was killed leaves a tenant without a release: the same command
goes on from there.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from berthmaster.domain.errors import BerthmasterError, Bug, Interrupted, InvalidSpec, NotAllowed
from berthmaster.domain.names import StackId, check_line, check_name
from berthmaster.domain.spec import AppSpec
from berthmaster.domain.tenancy import Tenant, TenantState, check_slug, tenant_hosts
from berthmaster.planner.secretkinds import is_secret_name
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.ports.store import Event
from berthmaster.services.carry_out import Outcome
from berthmaster.services.deploy import Unchanged, deploy
from berthmaster.services.render_model import ReleaseRequest, environment_of
from berthmaster.services.tenant_spec import is_silo, tenant_folder
from berthmaster.services.tenants.addresses import addresses_of, refuse_taken
from berthmaster.services.tenants.secrets import give_secrets

AT_ONCE: Final = 4  # most of an addition is waiting for its database and its app
_OURS: Final = frozenset({"TENANT", "TENANT_HOST", "TENANT_HOSTS"})


@dataclass(frozen=True, slots=True)
class NewTenant:
    """What a person asked for."""

    stack: StackId
    folder: Path
    tag: str | None = None
    domain: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    size: str | None = None
    expires_at: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    command: str = "berth tenant add"


@dataclass(frozen=True, slots=True)
class Added:
    """A tenant that serves, and where."""

    stack: StackId
    hosts: tuple[str, ...]
    release: int | None
    outcome: Outcome | None = None  # None: it was there already, as asked for
    secret_count: int = 0
    seconds: float = 0.0


async def add_tenant(
    outside: Outside, wanted: NewTenant, progress: Progress, *, is_restored: bool = False
) -> Added:
    """Make it and deploy it; raises `NotAllowed` for a reserved name, one that is taken, a host of
    somebody else, and one whose data is not back yet. The same again is no error.
    """
    if not is_restored:
        refuse_unrestored(outside.store.tenant(wanted.stack))
    start = outside.clock.monotonic()
    spec = outside.specs.read(wanted.folder)
    _refuse_bad(spec, wanted)
    there = _there_already(outside, wanted)
    if there is not None:
        return there
    tenant = await _record(outside, spec, wanted)
    count = give_secrets(outside, wanted.folder, tenant.stack)
    tag = wanted.tag or usual_tag(outside, wanted.stack)
    request = ReleaseRequest(wanted.stack, wanted.folder, tag, command=wanted.command)
    try:
        done = await deploy(outside, request, progress)
    except BerthmasterError as error:
        error.next_command = error.next_command or f"berth tenant add {wanted.stack}"
        raise
    outside.store.record(
        Event(outside.clock.now(), outside.actor, str(wanted.stack), "tenant_added")
    )
    release = done.release if isinstance(done, Unchanged) else done.plan.new
    return Added(
        wanted.stack,
        hosts_of(outside, wanted.stack),
        release,
        None if isinstance(done, Unchanged) else done,
        count,
        outside.clock.monotonic() - start,
    )


@dataclass(frozen=True, slots=True)
class ManyAdded:
    """What became of each."""

    added: tuple[Added, ...]
    failed: tuple[tuple[StackId, BerthmasterError], ...]


async def add_tenants(
    outside: Outside,
    wanted: Sequence[NewTenant],
    progress: Progress,
    *,
    at_once: int = AT_ONCE,
    tell: Callable[[StackId, Added | BerthmasterError], None] = lambda *_: None,
) -> ManyAdded:
    """Add many, a few at a time; one that fails does not stop the others."""
    limit = asyncio.Semaphore(at_once)

    async def one(item: NewTenant) -> Added | BerthmasterError:
        async with limit:
            try:
                done: Added | BerthmasterError = await add_tenant(outside, item, progress)
            except (Interrupted, Bug):
                raise
            except BerthmasterError as error:
                done = error
        tell(item.stack, done)
        return done

    # NOTE: all of them are waited for, so that an interrupted one has put everything back.
    ends = await asyncio.gather(*map(one, wanted), return_exceptions=True)
    added, failed = list[Added](), list[tuple[StackId, BerthmasterError]]()
    for item, end in zip(wanted, ends, strict=True):
        match end:
            case Added():
                added.append(end)
            case BerthmasterError() if not isinstance(end, Interrupted | Bug):
                failed.append((item.stack, end))
            case _:
                raise end
    return ManyAdded(tuple(added), tuple(failed))


def hosts_of(outside: Outside, stack: StackId) -> tuple[str, ...]:
    """The hosts of a tenant, the primary one first."""
    return tenant_hosts(outside.store.domains(stack))


def usual_tag(outside: Outside, stack: StackId) -> str | None:
    """What most tenants of the environment run, else what the environment's own stack runs."""
    counted: dict[str, int] = {}
    own = StackId(stack.app, stack.environment)
    for item in outside.store.live_releases():
        is_near = (item.stack.app, item.stack.environment) == (stack.app, stack.environment)
        if is_near and item.tag and item.stack != stack:
            counted[item.tag] = counted.get(item.tag, 0) + (1 if item.stack != own else 0)
    return max(counted, key=lambda tag: (counted[tag], tag), default=None)


def refuse_unrestored(tenant: Tenant | None) -> None:
    """Raise `NotAllowed` for a tenant whose data is not back: it is restored, or forgotten."""
    if tenant is not None and tenant.state is TenantState.RESTORING:
        raise NotAllowed(
            f"the data of {tenant.stack} is not back yet",
            next_command=f"berth tenant restore {tenant.stack}",
        )


def _refuse_bad(spec: AppSpec, wanted: NewTenant) -> None:
    stack = wanted.stack
    environment_of(spec, stack)
    if not is_silo(spec):
        raise InvalidSpec(
            f"{spec.app} has no tenants with a stack of their own",
            next_command="write tenancy: {mode: silo, domain: SUFFIX} into berth.yaml",
        )
    check_slug(stack.tenant or "", spec.domains.reserved)
    check_size(spec, wanted.size)
    for name, value in wanted.labels.items():
        check_line(f"{name}=", value)
    check_values(spec, stack, wanted.values)


def check_size(spec: AppSpec, size: str | None) -> None:
    """Raise `InvalidSpec` for one that `berth.yaml` does not know."""
    sizes = spec.tenancy.sizes if spec.tenancy else {}
    if size is not None and size not in sizes:
        known = ", ".join(sorted(sizes)) or "none"
        raise InvalidSpec(f"there is no size {size!r} in `tenancy.sizes`; there are: {known}")


def check_values(spec: AppSpec, stack: StackId, values: Mapping[str, str]) -> None:
    """Raise `NotAllowed` for a variable that is not a tenant's to have."""
    for name, value in values.items():
        check_line(f"{name}=", value)
        _refuse_variable(stack, check_name("variable", name), spec.release_variable)


def _refuse_variable(stack: StackId, name: str, release_variable: str) -> None:
    if name in _OURS or name == release_variable:
        raise NotAllowed(f"{name} is set for every tenant")
    if is_secret_name(name):
        raise NotAllowed(
            f"{name} is a secret, and arguments are seen by everybody on the machine",
            next_command=f"berth tenant add {stack}, then berth secrets set {stack} {name}",
        )


def _there_already(outside: Outside, wanted: NewTenant) -> Added | None:
    """The tenant when it is complete and as asked for; raises `NotAllowed` for a taken name."""
    known = outside.store.tenant(wanted.stack)
    if known is None:
        return None
    stack = wanted.stack
    if known.state is TenantState.REMOVED:
        at = f" on {known.removed_at:%Y-%m-%d}" if known.removed_at else ""
        raise NotAllowed(
            f"{stack} was removed{at}, and its data can come back",
            next_command=f"berth tenant restore {stack}  (or berth tenant forget {stack})",
        )
    hosts = hosts_of(outside, stack)
    is_same = (
        (not wanted.values or dict(wanted.values) == dict(known.values))
        and wanted.size in (None, known.size)
        and (wanted.domain is None or wanted.domain in hosts)
    )
    record = outside.store.stack(stack)
    live = record.live if record else None
    if live is not None and is_same:
        return Added(stack, hosts, live)
    if live is not None:
        raise NotAllowed(
            f"{stack} is there already, and not as asked for now",
            next_command=f"berth tenant show {stack}, and berth tenant set {stack} to change it",
        )
    return None  # a run was stopped before its first release: this one goes on


async def _record(outside: Outside, spec: AppSpec, wanted: NewTenant) -> Tenant:
    stack = wanted.stack
    domains = addresses_of(spec, stack, wanted.domain)
    await refuse_taken(outside, environment_of(spec, stack).entrypoint, domains)
    known = outside.store.tenant(stack)
    if known is None:  # what an import that was killed left of another one is not its own
        outside.secret_files.remove_folder(tenant_folder(outside, stack))
        known = Tenant(stack, created_at=outside.clock.now(), created_by=outside.actor)
    tenant = replace(
        known,
        values=dict(wanted.values) or known.values,
        size=wanted.size or known.size,
        expires_at=wanted.expires_at or known.expires_at,
        labels=dict(wanted.labels) or known.labels,
    )
    with outside.store.transaction():
        outside.store.add_stack(stack, str(wanted.folder))
        outside.store.save_tenant(tenant)
        for item in domains:
            now, actor = outside.clock.now(), outside.actor
            outside.store.add_domain(replace(item, added_at=now, added_by=actor))
    return tenant
