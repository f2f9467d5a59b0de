"""Commands that make releases live: plan, deploy, rollback; and the list of releases."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from berthmaster.cli.housekeeping import changing
from berthmaster.cli.invocation import BerthCommand, Invocation, stack_argument
from berthmaster.cli.output import age, clock_time, paint, print_json, print_table
from berthmaster.cli.planned import print_plan
from berthmaster.domain.errors import InvalidName, NotFound, UserError
from berthmaster.domain.names import check_name
from berthmaster.domain.plan import Plan
from berthmaster.domain.release import ReleaseState
from berthmaster.ports.outside import Outside

if TYPE_CHECKING:
    from berthmaster.services.carry_out import Outcome
    from berthmaster.services.deploy import Unchanged
    from berthmaster.services.render_model import ReleaseRequest

_tag = click.option("--tag", metavar="T", help="Value of the release variable (IMAGE_TAG).")
_image = click.option(
    "--image", "images", metavar="SERVICE=REF", multiple=True, help="Another image for a service."
)
_every = click.option("--all", "is_all", is_flag=True, help="Every stack that this server knows.")


@click.command(cls=BerthCommand)
@stack_argument
@_tag
@_image
@_every
@click.pass_context
def plan(
    context: click.Context,
    stack: str | None,
    tag: str | None,
    images: tuple[str, ...],
    is_all: bool,
) -> None:
    """Show what a deploy would do, and change nothing."""
    from berthmaster.services.deploy import plan_release

    invocation = context.find_object(Invocation) or Invocation()
    if is_all:
        from berthmaster.cli.every import plan_every

        _refuse_named(stack, images)
        context.exit(plan_every(invocation, _checked_tag(tag)))
    request = _request(invocation, stack, tag, images, "berth plan")
    print_plan(invocation, invocation.run(lambda outside: plan_release(outside, request)))


@click.command(cls=BerthCommand)
@stack_argument
@_tag
@_image
@click.option("--force", is_flag=True, help="Deploy although nothing changed.")
@_every
@click.option("--plan", "is_plan", is_flag=True, help="Show the plan only.")
@click.option(
    "--based-on",
    metavar="HASH",
    help="Refuse when the world is not the one of the plan that was looked at.",
)
@click.option(
    "--state",
    "services",
    metavar="SERVICE",
    multiple=True,
    help="Change this state service to what the files say, and nothing else.",
)
@click.option("--confirm", metavar="NAME", help="The stack's name: with --state, data may be lost.")
@click.option("--yes", is_flag=True, hidden=True, help="Accepted and ignored: nothing is asked.")
@click.pass_context
def deploy(
    context: click.Context,
    /,
    stack: str | None,
    tag: str | None,
    images: tuple[str, ...],
    based_on: str | None,
    services: tuple[str, ...],
    confirm: str | None,
    **flags: bool,
) -> None:
    """Make a stack run what its files say.

    Nothing is lost: the old release serves until the new one is good. State services are left as
    they are; --state changes one on purpose.
    """
    invocation = context.find_object(Invocation) or Invocation()
    if services:
        request = _request(invocation, stack, tag, images, "berth deploy")
        request = replace(request, state_services=frozenset(services))
        if flags["is_plan"]:
            _plan_state(invocation, request, confirm)
        else:
            _change_state(invocation, request, confirm, based_on)
    elif flags["is_plan"]:
        context.invoke(plan, stack=stack, tag=tag, images=images, is_all=flags["is_all"])
    elif flags["is_all"]:
        from berthmaster.cli.every import deploy_every

        _refuse_named(stack, images)
        context.exit(deploy_every(invocation, tag, is_forced=flags["force"]))
    else:
        request = _request(invocation, stack, tag, images, "berth deploy")
        _deploy_one(invocation, request, flags["force"], based_on)


def _deploy_one(
    invocation: Invocation, request: "ReleaseRequest", is_forced: bool, based_on: str | None
) -> None:
    from berthmaster.services.carry_out import Outcome
    from berthmaster.services.deploy import deploy as deploy_release

    async def work(outside: Outside) -> "tuple[Outcome | Unchanged, Mapping[str, Any]]":
        done = await deploy_release(
            outside, request, invocation.progress, is_forced=is_forced, based_on=based_on
        )
        facts = outcome_json(outside, done) if isinstance(done, Outcome) else {}
        return done, facts

    done, facts = changing(invocation, work)
    if not isinstance(done, Outcome):
        if invocation.is_json:
            print_json({"stack": str(request.stack), "release": done.release, "is_changed": False})
        else:
            click.echo(f"{request.stack}  {done.message}")
        return
    _print_outcome(invocation, done, facts)


def _plan_state(invocation: Invocation, request: "ReleaseRequest", confirm: str | None) -> None:
    from berthmaster.services.change_state import plan_state

    found = invocation.run(lambda outside: plan_state(outside, request, confirm=confirm))
    if isinstance(found, Plan):
        print_plan(invocation, found)
    else:
        _print_state(invocation, request, found.services, found.message)


def _change_state(
    invocation: Invocation, request: "ReleaseRequest", confirm: str | None, based_on: str | None
) -> None:
    from berthmaster.services.change_state import StateUnchanged, change_state

    async def work(outside: Outside) -> "Outcome | StateUnchanged":
        return await change_state(
            outside, request, invocation.progress, confirm=confirm, based_on=based_on
        )

    done = changing(invocation, work)
    if isinstance(done, StateUnchanged):
        _print_state(invocation, request, done.services, done.message)
        return
    names = tuple(line.name for line in done.plan.services)
    text = f"{', '.join(names)} changed  ({done.deployment}, {done.seconds:.1f} s)"
    _print_state(invocation, request, names, text, done)


def _print_state(
    invocation: Invocation,
    request: "ReleaseRequest",
    services: tuple[str, ...],
    text: str,
    done: "Outcome | None" = None,
) -> None:
    if not invocation.is_json:
        click.echo(f"{request.stack}  {text}")
        return
    facts = {"stack": str(request.stack), "services": services, "is_changed": done is not None}
    if done is not None:
        facts |= {"deployment": done.deployment, "seconds": round(done.seconds, 3)}
    print_json(facts)


@click.command(cls=BerthCommand)
@stack_argument
@click.option("--to", metavar="rN", help="The release to return to; by default the one before.")
@click.option(
    "--restore-point", metavar="NAME", help="Put the data of this restore point back, too."
)
@click.option("--plan", "is_plan", is_flag=True, help="Show the plan only.")
@click.pass_obj
def rollback(
    invocation: Invocation,
    stack: str | None,
    to: str | None,
    restore_point: str | None,
    is_plan: bool,
) -> None:
    """Return to an older release.

    A switch while it is warm, else a start from its record. Data stays as it is, unless a restore
    point is named.
    """
    from berthmaster.services.roll_back import plan_rollback, roll_back

    wanted = invocation.known_stack(stack)
    number = release_number(to) if to else None
    if is_plan:
        planned = invocation.run(
            lambda outside: plan_rollback(outside, wanted, to=number, restore_point=restore_point)
        )
        print_plan(invocation, planned)
        return

    async def work(outside: Outside) -> "tuple[Outcome, Mapping[str, Any]]":
        outcome = await roll_back(
            outside, wanted, invocation.progress, to=number, restore_point=restore_point
        )
        return outcome, outcome_json(outside, outcome)

    outcome, facts = changing(invocation, work)
    _print_outcome(invocation, outcome, facts)


@click.command(cls=BerthCommand)
@stack_argument
@click.pass_obj
def releases(invocation: Invocation, stack: str | None) -> None:
    """List a stack's releases, newest first."""
    wanted = invocation.known_stack(stack)
    store = invocation.outside.store
    if store.stack(wanted) is None:
        raise NotFound(f"there is no stack {wanted}", next_command="berth status")
    found = store.releases(wanted)
    if invocation.is_json:
        print_json(
            {
                "stack": str(wanted),
                "releases": [
                    {
                        "release": item.number,
                        "state": item.state,
                        "tag": item.tag,
                        "revision": item.revision,
                        "artifact": item.artifact,
                        "created_at": item.created_at,
                        "created_by": item.created_by,
                        "warm_until": item.warm_until,
                    }
                    for item in found
                ],
            }
        )
        return
    head = ("RELEASE", "STATE", "TAG", "REVISION", "AGE", "BY", "NOTES")
    rows = [
        (
            f"r{item.number}",
            item.state.value,
            item.tag or "-",
            (item.revision or "-")[:12],
            age(item.created_at),
            item.created_by,
            f"until {clock_time(item.warm_until)}"
            if item.warm_until and item.state is ReleaseState.WARM
            else "",
        )
        for item in found
    ]
    print_table(head, rows, coloured=1)


def release_number(text: str) -> int:
    """Read `r7` or `7`; raises `InvalidName`."""
    plain = text.removeprefix("r")
    if not plain.isdecimal() or not plain.isascii() or len(plain) > 18:  # the store's integers
        raise InvalidName(f"{text!r} is no release: write r7", next_command="berth releases")
    return int(plain)


def outcome_json(outside: Outside, outcome: "Outcome") -> dict[str, Any]:
    """What a finished change is, for machines and for the last line."""
    warm = [
        {"release": item.number, "warm_until": item.warm_until}
        for item in outside.store.releases(outcome.stack)
        if item.state is ReleaseState.WARM
    ]
    return {
        "stack": str(outcome.stack),
        "verb": outcome.plan.verb,
        "release": outcome.plan.new,
        "replaced": outcome.plan.old,
        "deployment": outcome.deployment,
        "seconds": round(outcome.seconds, 3),
        "is_changed": outcome.deployment is not None,
        "warm": warm,
    }


def _print_outcome(invocation: Invocation, outcome: "Outcome", facts: Mapping[str, Any]) -> None:
    if invocation.is_json:
        print_json(facts)
    elif outcome.deployment is None:
        click.echo(f"{outcome.stack}  {outcome.message}")
    else:
        click.echo(_last_lines(outcome, facts))


def _last_lines(outcome: "Outcome", facts: Mapping[str, Any]) -> str:
    """`shop@prod  r7 is live  (d41, 6.3 s; r6 stays warm until 12:10)` and the way back."""
    old = outcome.plan.old
    until = next((item["warm_until"] for item in facts["warm"] if item["release"] == old), None)
    warm = f"; r{old} stays warm until {clock_time(until)}" if until else ""
    line = paint(f"{outcome.stack}  r{outcome.plan.new} is live", "green", bold=True) + "  "
    line += f"({outcome.deployment}, {outcome.seconds:.1f} s{warm})"
    if old is None or old == outcome.plan.new:
        return line
    return f"{line}\n  turn back: berth rollback {outcome.stack} --to r{old}"


def _refuse_named(stack: str | None, images: tuple[str, ...]) -> None:
    if stack or images:
        raise UserError("--all takes neither a stack nor --image")


def _request(
    invocation: Invocation,
    stack: str | None,
    tag: str | None,
    images: tuple[str, ...],
    command: str,
) -> "ReleaseRequest":
    from berthmaster.services.render_model import ReleaseRequest

    wanted = invocation.declared_stack(stack)
    folder = invocation.folder_of(wanted)
    return ReleaseRequest(wanted, folder, _checked_tag(tag), parse_images(images), command)


def _checked_tag(tag: str | None) -> str | None:
    return None if tag is None else check_name("tag", tag)


def parse_images(pairs: tuple[str, ...]) -> dict[str, str]:
    """Read `SERVICE=REF` pairs; raises `UserError`."""
    found = {}
    for pair in pairs:
        service, equals, reference = pair.partition("=")
        if not equals or not reference or reference.startswith("-"):
            raise UserError(f"--image wants SERVICE=REF, not {pair!r}")
        found[check_name("service", service)] = reference
    return found
