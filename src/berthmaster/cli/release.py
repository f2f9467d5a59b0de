"""Commands that make releases live: plan, deploy, rollback."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from berthmaster.cli.housekeeping import changing
from berthmaster.cli.invocation import BerthCommand, Invocation, stack_argument
from berthmaster.cli.output import clock_time, paint, print_json
from berthmaster.cli.planned import print_plan
from berthmaster.domain.errors import InvalidName, UserError
from berthmaster.domain.names import StackId, check_name
from berthmaster.domain.plan import Plan
from berthmaster.domain.release import ADOPTED
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.ports.outside import Outside

if TYPE_CHECKING:
    from berthmaster.services.carry_out import Outcome
    from berthmaster.services.deploy import Unchanged
    from berthmaster.services.render_model import ReleaseRequest

_tag = click.option("--tag", metavar="T", help="Value of the release variable (IMAGE_TAG).")
_image = click.option(
    "--image", "images", metavar="SERVICE=REF", multiple=True, help="Another image for a service."
)
despite_option = click.option(
    "--despite",
    metavar="WHY",
    callback=lambda _, __, value: None if value is None else check_reason("--despite", value),
    help="Go on in spite of a hold or a freeze; the reason is recorded.",
)
LONGEST_REASON = 500


def check_reason(option: str, value: str) -> str:
    """A reason that is recorded: one line of printable text, not empty; raises `UserError`."""
    text = value.strip()
    if not text or not text.isprintable() or len(text) > LONGEST_REASON:
        raise UserError(
            f"{option} wants a reason in one line of at most {LONGEST_REASON} characters"
        )
    return text


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
@click.option(
    "--as-written",
    is_flag=True,
    help="By berth.yaml alone, without the overlay that was shipped from a rehearsal.",
)
@despite_option
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
    **flags: Any,
) -> None:
    """Make a stack run what its files say.

    Nothing is lost: the old release serves until the new one is good. State services are left as
    they are; --state changes one on purpose.
    """
    from berthmaster.services.deploy import plan_release

    invocation = context.find_object(Invocation) or Invocation()
    if services:
        request = _request(invocation, stack, tag, images, "berth deploy")
        request = replace(request, state_services=frozenset(services), despite=flags["despite"])
        if flags["is_plan"]:
            _plan_state(invocation, request, flags["confirm"])
        else:
            _change_state(invocation, request, flags["confirm"], based_on)
    elif flags["is_plan"] and flags["as_written"]:
        bare = _request(invocation, stack, tag, images, "berth deploy", as_written=True)
        print_plan(invocation, invocation.run(lambda outside: plan_release(outside, bare)))
    elif flags["is_plan"]:
        context.invoke(plan, stack=stack, tag=tag, images=images, is_all=flags["is_all"])
    elif flags["is_all"]:
        from berthmaster.cli.every import deploy_every

        _refuse_named(stack, images)
        context.exit(deploy_every(invocation, tag, is_forced=flags["force"]))
    else:
        is_bare = flags["as_written"]
        request = _request(invocation, stack, tag, images, "berth deploy", as_written=is_bare)
        request = replace(request, despite=flags["despite"])
        _deploy_one(invocation, request, flags["force"], based_on)


def _deploy_one(
    invocation: Invocation, request: "ReleaseRequest", is_forced: bool, based_on: str | None
) -> None:
    from berthmaster.services.deploy import deploy as deploy_release

    async def work(outside: Outside) -> "Outcome | Unchanged":
        return await deploy_release(
            outside, request, invocation.progress, is_forced=is_forced, based_on=based_on
        )

    make_live(invocation, request.stack, work)


def make_live(
    invocation: Invocation,
    stack: StackId,
    work: "Callable[[Outside], Awaitable[Outcome | Unchanged]]",
) -> None:
    """Carry out what ends with another release, or with nothing to do, and print its last lines."""
    from berthmaster.services.carry_out import Outcome

    async def all_of_it(outside: Outside) -> "tuple[Outcome | Unchanged, Mapping[str, Any]]":
        done = await work(outside)
        return done, outcome_json(outside, done) if isinstance(done, Outcome) else {}

    done, facts = changing(invocation, all_of_it)
    if isinstance(done, Outcome):
        _print_outcome(invocation, done, facts)
    elif invocation.is_json:
        print_json({"stack": str(stack), "release": done.release, "is_changed": False})
    else:
        click.echo(f"{stack}  {done.message}")


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
@click.option("--tag", metavar="T", help="The same by the tag it was deployed with.")
@click.option(
    "--restore-point", metavar="NAME", help="Put the data of this restore point back, too."
)
@click.option("--plan", "is_plan", is_flag=True, help="Show the plan only.")
@click.option(
    "--rehearse", "is_tried", is_flag=True, help="Do it in the rehearsal and say how long it took."
)
@click.pass_obj
def rollback(
    invocation: Invocation,
    /,
    stack: str | None,
    to: str | None,
    tag: str | None,
    restore_point: str | None,
    is_plan: bool,
    is_tried: bool,
) -> None:
    """Return to an older release.

    A switch while it is warm, else a start from its record. Data stays as it is, unless a restore
    point is named.
    """
    from berthmaster.services.find_release import release_of_tag
    from berthmaster.services.roll_back import plan_rollback, roll_back

    if to and tag:
        raise UserError("--to and --tag both name the release: give one of them")
    wanted = invocation.known_stack(stack)
    if is_tried:
        if to or tag or restore_point or is_plan:
            raise UserError("--rehearse stands alone: it turns back what the rehearsal would ship")
        from berthmaster.cli.rehearse import try_rollback

        try_rollback(invocation, wanted)
        return
    given = release_number(to) if to else None

    def number(outside: Outside) -> int | None:
        return release_of_tag(outside, wanted, check_name("tag", tag)) if tag else given

    if is_plan:
        planned = invocation.run(
            lambda outside: plan_rollback(
                outside, wanted, to=number(outside), restore_point=restore_point
            )
        )
        print_plan(invocation, planned)
        return

    async def work(outside: Outside) -> "tuple[Outcome, Mapping[str, Any]]":
        outcome = await roll_back(
            outside, wanted, invocation.progress, to=number(outside), restore_point=restore_point
        )
        return outcome, outcome_json(outside, outcome)

    outcome, facts = changing(invocation, work)
    _print_outcome(invocation, outcome, facts)


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
        "kept": [note for note in outcome.plan.notes if note.endswith("--let-go")],
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
    warm = f"; r{old} goes on running" if facts["kept"] and old == ADOPTED else warm
    line = paint(f"{outcome.stack}  r{outcome.plan.new} is live", "green", bold=True) + "  "
    line += f"({outcome.deployment}, {outcome.seconds:.1f} s{warm})"
    if old is None or old == outcome.plan.new:
        return line
    line += f"\n  turn back: berth rollback {outcome.stack} --to r{old}"
    return "\n".join([line, *(f"  {note}" for note in facts["kept"])])


def _refuse_named(stack: str | None, images: tuple[str, ...]) -> None:
    if stack or images:
        raise UserError("--all takes neither a stack nor --image")


def _request(
    invocation: Invocation,
    stack: str | None,
    tag: str | None,
    images: tuple[str, ...],
    command: str,
    *,
    as_written: bool = False,
) -> "ReleaseRequest":
    from berthmaster.domain.spec import Overlay
    from berthmaster.services.render_model import ReleaseRequest

    wanted = invocation.declared_stack(stack)
    folder = invocation.folder_of(wanted)
    found = ReleaseRequest(wanted, folder, _checked_tag(tag), parse_images(images), command)
    return replace(found, overlay=Overlay()) if as_written else found


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
