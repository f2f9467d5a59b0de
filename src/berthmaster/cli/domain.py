"""`berth domain`: list, add, prove, primary, remove, move, check, fix."""

from typing import TYPE_CHECKING

import click

from berthmaster.cli.group import LazyGroup
from berthmaster.cli.invocation import BerthCommand, Invocation, stack_argument
from berthmaster.cli.output import age, paint, print_json, print_table

if TYPE_CHECKING:
    from berthmaster.domain.domainpolicy import Violation
    from berthmaster.domain.names import StackId
    from berthmaster.domain.tenancy import Domain
    from berthmaster.ports.outside import Outside
    from berthmaster.services.domains.judge import Repair
    from berthmaster.services.domains.names import Added

BAD_CODE = 2


@click.group(
    cls=LazyGroup,
    sections={
        "Commands": {
            "list": "berthmaster.cli.domain:list_",
            "add": "berthmaster.cli.domain:add",
            "prove": "berthmaster.cli.domain:prove",
            "primary": "berthmaster.cli.domain:primary",
            "remove": "berthmaster.cli.domain:remove",
            "move": "berthmaster.cli.domain:move",
            "check": "berthmaster.cli.domain:check",
            "fix": "berthmaster.cli.domain:fix",
        }
    },
)
def domain() -> None:
    """Add, move, remove and repair the names of tenants."""


@click.command("list", cls=BerthCommand)
@stack_argument
@click.pass_obj
def list_(invocation: Invocation, stack: str | None) -> None:
    """List the domains that Berthmaster routes for tenants."""
    wanted = invocation.known_stack(stack) if stack else None
    if wanted is not None:
        invocation.check_environment(wanted.app, wanted.environment)

    async def work(outside: "Outside") -> "list[Domain]":
        rows = outside.store.domains()
        return [item for item in rows if wanted is None or _is_of(item, wanted)]

    found = invocation.run(work)
    if invocation.is_json:
        print_json({"domains": [_json(item) for item in found]})
    elif found:
        print_table(("DOMAIN", "STACK", "TENANT", "IS", "ADDED"), [_row(item) for item in found])
    else:
        click.echo("no tenant has a domain yet: berth domain add STACK HOST")


@click.command(cls=BerthCommand)
@click.argument("stack", metavar="[APP@]ENV[/TENANT]")
@click.argument("host")
@click.option("--tenant", metavar="NAME", help="Tenant of a pooled app.")
@click.option("--primary", "is_primary", is_flag=True, help="Make it the primary one.")
@click.option("--vouched", is_flag=True, help="It is theirs: ask for no proof.")
@click.pass_obj
def add(
    invocation: Invocation,
    stack: str,
    host: str,
    tenant: str | None,
    is_primary: bool,
    vouched: bool,
) -> None:
    """Route a domain to a tenant; nothing is deployed or reloaded."""
    from berthmaster.services.domains.elsewhere import read_policy
    from berthmaster.services.domains.names import NewDomain, add_domain, warm_certificate

    wanted = invocation.declared_stack(stack)
    folder = invocation.folder_of(wanted)
    asked = NewDomain(host, wanted, tenant, is_primary, vouched)

    async def work(outside: "Outside") -> "tuple[Added, str]":
        added = await add_domain(outside, asked, read_policy(outside, wanted, folder))
        return added, await warm_certificate(outside, added.domain)

    _print_added(invocation, *invocation.run(work))


@click.command(cls=BerthCommand)
@click.argument("host")
@click.pass_obj
def prove(invocation: Invocation, host: str) -> None:
    """Look for the owner's proof (DNS, HTTP), then route the domain."""
    from berthmaster.services.domains.names import prove_domain, warm_certificate

    async def work(outside: "Outside") -> "tuple[Added, str]":
        added = await prove_domain(outside, host)
        return added, await warm_certificate(outside, added.domain)

    _print_added(invocation, *invocation.run(work))


@click.command(cls=BerthCommand)
@click.argument("host")
@click.pass_obj
def primary(invocation: Invocation, host: str) -> None:
    """Make a domain its tenant's primary one."""
    from berthmaster.services.domains.names import make_primary

    found = invocation.run(lambda outside: make_primary(outside, host))
    _print_changed(invocation, found, "is the primary domain now")


@click.command(cls=BerthCommand)
@click.argument("host")
@click.pass_obj
def remove(invocation: Invocation, host: str) -> None:
    """Take a domain away: 421 at once, its certificate deleted."""
    from berthmaster.services.domains.names import remove_domain

    found = invocation.run(lambda outside: remove_domain(outside, host))
    _print_changed(invocation, found, "is not answered any more")


@click.command(cls=BerthCommand)
@click.argument("host")
@click.argument("stack", metavar="[APP@]ENV[/TENANT]")
@click.option("--tenant", metavar="NAME", help="Tenant of a pooled app.")
@click.pass_obj
def move(invocation: Invocation, host: str, stack: str, tenant: str | None) -> None:
    """Give a domain to another tenant of the environment."""
    from berthmaster.services.domains.names import move_domain

    wanted = invocation.known_stack(stack)
    found = invocation.run(lambda outside: move_domain(outside, host, wanted, tenant))
    for item in found[:1] if invocation.is_json else found:
        _print_changed(invocation, item, f"belongs to {item.tenant or item.stack} now")


@click.command(cls=BerthCommand)
@stack_argument
@click.pass_context
def check(context: click.Context, stack: str | None) -> None:
    """Name every row that breaks the domain policy, and the remedy."""
    from berthmaster.services.domains.judge import check_domains

    invocation = context.find_object(Invocation) or Invocation()
    wanted = invocation.declared_stack(stack)
    folder = invocation.folder_of(wanted)
    report = invocation.run(lambda outside: check_domains(outside, wanted, folder))
    if invocation.is_json:
        violations = [_violation_json(item) for item in report.violations]
        print_json({"stack": str(wanted), "domains": len(report.rows), "violations": violations})
    elif report.violations:
        rows = [_violation_row(item) for item in report.violations]
        print_table(("RULE", "TENANT", "ROW", "WHAT", "REMEDY"), rows)
    else:
        below = f" below {report.suffix}" if report.suffix else ""
        click.echo(f"{wanted}: {len(report.rows)} domains{below}, all keep the policy")
    if report.violations:
        context.exit(BAD_CODE)


@click.command(cls=BerthCommand)
@stack_argument
@click.option("--apply", "is_applied", is_flag=True, help="Change the rows; without it: show.")
@click.pass_obj
def fix(invocation: Invocation, stack: str | None, is_applied: bool) -> None:
    """Repair the app's own rows, all or none, after a restore point."""
    from berthmaster.services.domains.judge import plan_repair, repair_domains

    wanted = invocation.declared_stack(stack)
    folder = invocation.folder_of(wanted)
    work = repair_domains if is_applied else plan_repair
    repair = invocation.run(lambda outside: work(outside, wanted, folder))
    _print_repair(invocation, repair, is_applied=is_applied)


def _is_of(item: "Domain", wanted: "StackId") -> bool:
    """Whether it belongs to an environment, or to one tenant's stack of it."""
    is_there = (item.stack.app, item.stack.environment) == (wanted.app, wanted.environment)
    return is_there and wanted.tenant in (None, item.stack.tenant)


def _print_repair(invocation: Invocation, repair: "Repair", *, is_applied: bool) -> None:
    from berthmaster.services.domains.judge import shown

    fixed = repair.fix
    lines = [(shown(item.before, item.after), item.why) for item in fixed.changes]
    skipped = [(item.domain, why) for item, why in fixed.skipped]
    counts = {
        "updated": fixed.renamed_count,
        "deleted": fixed.deleted_count,
        "promoted": fixed.promoted_count,
        "skipped": len(skipped),
    }
    if invocation.is_json:
        print_json(
            {
                "stack": str(repair.stack),
                "is_applied": is_applied,
                **counts,
                "changes": [{"what": what, "why": why} for what, why in lines],
                "skipped_rows": [{"domain": name, "why": why} for name, why in skipped],
                "left": [_violation_json(item) for item in repair.left],
                "restore_point": repair.restore_point,
            }
        )
        return
    for what, why in lines:
        click.echo(f"  {what}  ({why})")
    for name, why in skipped:
        click.echo(f"  skip {name}  ({why})")
    totals = ", ".join(f"{count} {word}" for word, count in counts.items())
    click.echo(f"{repair.stack}: {totals}{'' if is_applied else ' if applied'}")
    if repair.restore_point:
        click.echo(f"  the rows before: restore point {repair.restore_point}", err=True)
    for item in repair.left:
        click.echo(paint(f"  left: {item.what}; {item.remedy}", "yellow"), err=True)
    if lines and not is_applied:
        click.echo(f"  next: berth domain fix {repair.stack} --apply", err=True)


def _print_added(invocation: Invocation, added: "Added", certificate: str) -> None:
    found = added.domain
    if invocation.is_json:
        print_json({**_json(found), "note": added.note, "certificate": certificate})
        return
    owner = found.tenant or found.stack
    if added.is_routed:
        click.echo(f"{found.host}  is routed to {owner}")
    else:
        click.echo(f"{found.host}  waits for its owner's proof")
    for line in (added.note, certificate):
        if line:
            click.echo(f"  {line}", err=True)


def _print_changed(invocation: Invocation, found: "Domain", what: str) -> None:
    if invocation.is_json:
        print_json(_json(found))
    else:
        click.echo(f"{found.host}  {what}")


def _json(item: "Domain") -> dict[str, object]:
    return {
        "domain": item.host,
        "stack": str(item.stack),
        "tenant": item.tenant,
        "is_primary": item.is_primary,
        "is_custom": item.is_custom,
        "is_routed": item.is_routed,
        "proof": item.proof,
        "added_at": item.added_at,
    }


def _row(item: "Domain") -> tuple[str, ...]:
    words = ["primary"] if item.is_primary else []
    words += ["customer's own"] if item.is_custom else []
    words += [] if item.is_routed else ["not proven yet"]
    return item.host, str(item.stack), item.tenant or "-", ", ".join(words), age(item.added_at)


def _violation_row(item: "Violation") -> tuple[str, ...]:
    rows = ", ".join(row.shown for row in item.rows)
    return item.rule, item.tenant, rows, item.what, item.remedy


def _violation_json(item: "Violation") -> dict[str, object]:
    return {
        "rule": item.rule,
        "tenant": item.tenant,
        "rows": [row.id for row in item.rows],
        "what": item.what,
        "remedy": item.remedy,
    }
