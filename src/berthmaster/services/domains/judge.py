"""`berth domain check` and `fix`: every violation with its remedy, and the repair of the rows.

A repair is one transaction after a restore point. Berthmaster's own rows keep the policy when they
are made; only an app's own table is ever repaired.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from berthmaster.domain.domainpolicy import DomainRow, Violation, check_rows, policy_of
from berthmaster.domain.errors import NotAllowed
from berthmaster.domain.names import StackId
from berthmaster.domain.spec import AppSpec, HttpSource, RowSource
from berthmaster.engine.lease import hold
from berthmaster.planner.domainfix import DomainFix, plan_domain_fix
from berthmaster.planner.tenants import backup_names, dumpable
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import Event
from berthmaster.services.domains.elsewhere import hosts_elsewhere, live_release
from berthmaster.services.domains.over_http import change_rows
from berthmaster.services.domains.rows import container_of, read_rows, read_spec_of


@dataclass(frozen=True, slots=True)
class DomainReport:
    """The rows of an environment and what is wrong with them."""

    stack: StackId
    suffix: str | None
    rows: tuple[DomainRow, ...]
    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class Repair:
    """What `fix` would do or did."""

    stack: StackId
    fix: DomainFix
    left: tuple[Violation, ...]  # what is wrong even afterwards
    restore_point: str | None = None  # taken before; None: nothing was changed


async def check_domains(outside: Outside, stack: StackId, folder: Path) -> DomainReport:
    """Judge every row; raises `NotAllowed` for an app without tenants."""
    spec = read_spec_of(outside, stack, folder)
    policy = policy_of(spec, stack.environment)
    rows = await read_rows(outside, stack, spec) or ()
    violations = check_rows(policy, rows, await hosts_elsewhere(outside, stack))
    return DomainReport(stack, policy.suffix, rows, violations)


async def plan_repair(outside: Outside, stack: StackId, folder: Path) -> Repair:
    """What `--apply` would do now."""
    spec = read_spec_of(outside, stack, folder)
    if spec.domains.source is None:
        raise NotAllowed(
            f"the domains of {stack} are Berthmaster's own rows, which no app changes",
            next_command=f"berth domain check {stack}; berth domain add, primary, remove",
        )
    policy = policy_of(spec, stack.environment)
    rows = await read_rows(outside, stack, spec) or ()
    fix = plan_domain_fix(policy, rows)
    after = _applied(rows, fix)
    return Repair(stack, fix, check_rows(policy, after, await hosts_elsewhere(outside, stack)))


async def repair_domains(outside: Outside, stack: StackId, folder: Path) -> Repair:
    """Take a restore point and change the rows, under the stack's lease."""
    async with hold(outside.store, str(stack), what="berth domain fix"):
        repair = await plan_repair(outside, stack, folder)
        if not repair.fix.changes:
            return repair
        name = await _change(outside, stack, outside.specs.read(folder), repair.fix)
        if name is None:
            return repair
        detail = "; ".join(shown(item.before, item.after) for item in repair.fix.changes)[:2000]
        outside.store.record(
            Event(outside.clock.now(), outside.actor, str(stack), "domains_repaired", detail)
        )
        return Repair(stack, repair.fix, repair.left, name)


async def _change(outside: Outside, stack: StackId, spec: AppSpec, fix: DomainFix) -> str | None:
    """Returns the name of the restore point; None when nothing runs whose rows could be changed."""
    source, name = spec.domains.source, f"before-domain-fix-{outside.clock.now():%Y%m%dT%H%M%S}"
    match source:
        case RowSource():
            container = container_of(outside, stack, source.service)
            if container is None:
                return None
            dumps = outside.files.dump_folder(stack.project)
            await outside.databases.take(container, dumps, name)
            await outside.databases.change_domain_rows(container, source, fix.changes)
        case HttpSource():
            if source.repair is None:
                raise NotAllowed(
                    f"{stack} gives its list of domains to read only: nothing was changed",
                    next_command="write domains.source.repair, or change these rows in the app",
                )
            await _take_all(outside, stack, name)
            await change_rows(outside, stack, spec, source, fix.changes)
        case None:
            return None
        case _:
            assert_never(source)
    return name


async def _take_all(outside: Outside, stack: StackId, name: str) -> None:
    """A restore point of each database: only the app knows in which of them its rows are."""
    live = live_release(outside, stack)
    found = dumpable(live) if live else ()
    if live is None or not found:
        raise NotAllowed(
            f"{stack} has no database that a restore point can be taken of: nothing was changed",
            next_command="change these rows in the app, then: berth domain check",
        )
    dumps = outside.files.dump_folder(stack.project)
    for item, each in zip(found, backup_names(live, name), strict=True):
        container = container_of(outside, stack, item.name)
        if container is not None:
            await outside.databases.take(container, dumps, each)


def shown(before: DomainRow, after: DomainRow | None) -> str:
    """One change in words."""
    if after is None:
        return f"delete {before.domain}"
    words = [f"{before.domain} -> {after.domain}"] if after.domain != before.domain else []
    if after.is_primary != before.is_primary:
        words.append(f"{after.domain} {'primary' if after.is_primary else 'no longer primary'}")
    return ", ".join(words)


def _applied(rows: tuple[DomainRow, ...], fix: DomainFix) -> tuple[DomainRow, ...]:
    changed = {item.before.id: item.after for item in fix.changes}
    new = (changed.get(row.id, row) for row in rows)
    return tuple(row for row in new if row is not None)
