"""Commands about running stacks: status, health, maintenance, destroy."""

from typing import TYPE_CHECKING, Any

import click

from berthmaster.cli.confirming import confirm_name
from berthmaster.cli.housekeeping import changing
from berthmaster.cli.invocation import BerthCommand, Invocation, stack_argument
from berthmaster.cli.output import age, paint, print_json, print_table
from berthmaster.domain.errors import NotFound, UserError
from berthmaster.domain.names import shown
from berthmaster.services.read_status import StackLine, Status, read_status
from berthmaster.services.watch_backups import BACKUP_COMMAND

if TYPE_CHECKING:
    from berthmaster.ports.outside import Outside
    from berthmaster.services.carry_out import Outcome

BAD_CODE = 1
SHOWN_ALERTS = 5
STATUS_HEAD = ("STACK", "STATE", "RELEASE", "TAG", "AGE", "CONTAINERS", "NOTES")


@click.command(cls=BerthCommand)
@stack_argument
@click.pass_obj
def status(invocation: Invocation, stack: str | None) -> None:
    """Show every stack: release, age, containers, loose ends."""
    wanted = invocation.known_stack(stack) if stack else None
    found = invocation.run(lambda outside: read_status(outside, wanted))
    if wanted is not None and not found.lines:
        raise NotFound(f"there is no stack {wanted}", next_command="berth status")
    if invocation.is_json:
        print_json(_status_json(found))
        return
    if found.engine_error:
        click.echo(f"berth: {found.engine_error}", err=True)
    if not found.lines:
        click.echo("no stacks yet: berth init, then berth deploy ENV")
        return
    print_table(STATUS_HEAD, [status_row(line) for line in found.lines], coloured=1)
    _print_alerts(_alerts(found))


def _alerts(found: Status) -> list[dict[str, str]]:
    """Of backups, of tenants and of certificates, each with what to type next."""
    tenants = [
        {
            "subject": str(item.stack),
            "text": item.text,
            "kind": item.kind.value,
            "next": item.next_command,
        }
        for item in found.tenant_alerts
    ]
    certificates = [
        {
            "subject": item.subject,
            "text": item.text,
            "kind": "certificate",
            "next": "berth cert list",
        }
        for item in found.alerts
    ]
    backup = {
        "subject": "backup",
        "text": found.backup_trouble or "",
        "kind": "backup",
        "next": BACKUP_COMMAND,
    }
    return [*([backup] if found.backup_trouble else ()), *tenants, *certificates]


def _print_alerts(alerts: list[dict[str, str]]) -> None:
    told = alerts[:SHOWN_ALERTS]
    for number, alert in enumerate(told, 1):
        line = f"  {alert['subject']}: {shown(alert['text'])}"
        click.echo(paint(line, "yellow"), err=True)
        if number == len(told) or told[number]["next"] != alert["next"]:
            click.echo(f"  next: {alert['next']}", err=True)
    if len(alerts) > len(told):
        click.echo(f"  and {len(alerts) - len(told)} more: berth --json status", err=True)


def status_row(line: StackLine) -> tuple[str, ...]:
    """One line of the table, a text for each word of `STATUS_HEAD`."""
    release = "-" if line.release is None else f"r{line.release}"
    tag = line.tag or (line.revision or "-")[:12]
    counted = f"{line.running}/{line.containers}" if line.state != "unknown" else "?"
    notes = [f"r{number} warm" for number in line.warm]
    notes += [f"r0 kept: {line.kept}"] if line.kept else []
    notes += [f"{line.unhealthy} unhealthy"] if line.unhealthy else []
    notes += [f"unfinished: {line.unfinished}"] if line.unfinished else []
    notes += [f"held: {line.held_because}"] if line.held_because else []
    return str(line.stack), line.state, release, tag, age(line.since), counted, "; ".join(notes)


def _status_json(found: Status) -> dict[str, Any]:
    stacks = [
        {
            "stack": str(line.stack),
            "state": line.state,
            "release": line.release,
            "tag": line.tag,
            "revision": line.revision,
            "since": line.since,
            "running": line.running,
            "containers": line.containers,
            "unhealthy": line.unhealthy,
            "warm": line.warm,
            "kept": line.kept,
            "unfinished": line.unfinished,
            "held_because": line.held_because,
        }
        for line in found.lines
    ]
    return {"stacks": stacks, "engine_error": found.engine_error, "alerts": _alerts(found)}


@click.command(cls=BerthCommand)
@stack_argument
@click.pass_context
def health(context: click.Context, stack: str | None) -> None:
    """Say whether a stack is well; if not, why and what mends it."""
    from berthmaster.services.read_health import Verdict, read_health

    invocation = context.find_object(Invocation) or Invocation()
    wanted = invocation.known_stack(stack)
    report = invocation.run(lambda outside: read_health(outside, wanted))
    if invocation.is_json:
        print_json(
            {
                "stack": str(report.stack),
                "release": report.release,
                "verdict": report.verdict,
                "cause": report.cause,
                "mend": report.mend,
                "findings": [
                    {
                        "subject": item.subject,
                        "verdict": item.verdict,
                        "evidence": item.evidence,
                        "mend": item.mend,
                    }
                    for item in report.findings
                ],
            }
        )
    else:
        rows = [(item.subject, item.verdict.value, item.evidence) for item in report.findings]
        print_table(("WHAT", "IS", "EVIDENCE"), rows, coloured=1)
        colour = {"ok": "green", "degraded": "yellow", "down": "red"}[report.verdict]
        verdict = paint(report.verdict, colour, bold=True)
        click.echo(f"\n{report.stack}  r{report.release} is {verdict}")
        if report.cause:
            click.echo(f"  cause  {report.cause}\n  mend   {report.mend}")
    if report.verdict is not Verdict.OK:
        context.exit(BAD_CODE)


@click.command(cls=BerthCommand)
@click.argument("switch", metavar="on|off", type=click.Choice(["on", "off"]))
@stack_argument
@click.pass_obj
def maintenance(invocation: Invocation, switch: str, stack: str | None) -> None:
    """Answer visitors with the 503 page, or the release again."""
    from berthmaster.services.end_stack import set_maintenance

    wanted, is_on = invocation.known_stack(stack), switch == "on"

    async def work(outside: "Outside") -> "Outcome":
        return await set_maintenance(outside, wanted, invocation.progress, is_on=is_on)

    outcome = changing(invocation, work)
    if invocation.is_json:
        print_json({"stack": str(wanted), "maintenance": is_on, "deployment": outcome.deployment})
    elif is_on:
        click.echo(f"{wanted}  answers 503 now; turn it off: berth maintenance off {wanted}")
    else:
        click.echo(f"{wanted}  answers again")


@click.command(cls=BerthCommand)
@stack_argument
@click.option("--confirm", metavar="NAME", help="The stack's name, instead of being asked for it.")
@click.option("--keep-volumes", is_flag=True, help="Remove everything but the data.")
@click.pass_obj
def destroy(
    invocation: Invocation, stack: str | None, confirm: str | None, keep_volumes: bool
) -> None:
    """Remove a stack and its data."""
    from berthmaster.services.end_stack import destroy as destroy_stack
    from berthmaster.services.end_stack import plan_end

    if not stack:
        raise UserError("destroy wants the stack written out", next_command="berth destroy APP@ENV")
    wanted = invocation.known_stack(stack)
    if confirm is None and not invocation.is_json:
        from berthmaster.planner.text import render_plan

        plan = invocation.run(
            lambda world: plan_end(world, wanted, removes_volumes=not keep_volumes)
        )
        click.echo(render_plan(plan), err=True)
    what = "everything but its volumes" if keep_volumes else "everything, its data too"
    confirm_name(invocation, str(wanted), confirm, f"This removes {what}", "berth destroy")

    async def work(outside: "Outside") -> "Outcome":
        return await destroy_stack(
            outside, wanted, invocation.progress, removes_volumes=not keep_volumes
        )

    outcome = changing(invocation, work)
    if invocation.is_json:
        print_json({"stack": str(wanted), "destroyed": True, "deployment": outcome.deployment})
    else:
        kept = "; its volumes are still there" if keep_volumes else ""
        click.echo(f"{wanted}  is gone ({outcome.deployment}, {outcome.seconds:.1f} s){kept}")
