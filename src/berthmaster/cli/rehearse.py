"""`berth rehearse`: a copy of production beside it, from its beginning to its end."""

from typing import TYPE_CHECKING, Any, Final

import click

from berthmaster.cli.group import LazyGroup
from berthmaster.cli.housekeeping import changing
from berthmaster.cli.invocation import BerthCommand, Invocation, complete_stacks
from berthmaster.cli.output import paint, print_json, print_table
from berthmaster.cli.planned import print_plan
from berthmaster.cli.release import despite_option, make_live, parse_images
from berthmaster.domain.errors import UserError
from berthmaster.domain.names import StackId, check_name

if TYPE_CHECKING:
    from berthmaster.ports.outside import Outside
    from berthmaster.services.carry_out import Outcome
    from berthmaster.services.deploy import Unchanged
    from berthmaster.services.rehearsals.begin import Begun
    from berthmaster.services.rehearsals.compare import Compared
    from berthmaster.services.rehearsals.finish import Finished

_HERE: Final = "berthmaster.cli.rehearse"
BAD_CODE: Final = 1


@click.group(
    cls=LazyGroup,
    default="begin",
    sections={
        "From begin to end": {
            "begin": f"{_HERE}:begin",
            "compare": f"{_HERE}:compare",
            "announce": f"{_HERE}:announce",
            "ship": f"{_HERE}:ship",
            "finish": f"{_HERE}:finish",
        },
    },
)
def rehearse() -> None:
    """Try a release in a copy of production before it ships.

    `berth rehearse ENV` begins one.
    """


environment_argument = click.argument("stack", metavar="[APP@]ENV", shell_complete=complete_stacks)


@click.command(cls=BerthCommand)
@environment_argument
@click.option("--tag", metavar="T", help="Value of the release variable; by default what runs.")
@click.option(
    "--image", "images", metavar="SERVICE=REF", multiple=True, help="Another image for a service."
)
@click.option(
    "--overlay",
    "overlays",
    metavar="FILE",
    multiple=True,
    help="Compose file to lay over the environment's; it ships too.",
)
@click.option(
    "--map",
    "places",
    metavar="NEW=OLD",
    multiple=True,
    help="A service of the overlay that takes another's place: mod_api=web.",
)
@click.pass_context
def begin(
    context: click.Context,
    /,
    stack: str,
    tag: str | None,
    images: tuple[str, ...],
    overlays: tuple[str, ...],
    places: tuple[str, ...],
) -> None:
    """Run what would ship in a copy of an environment.

    Over a copy of its data, taken now. It has a database, volumes, addresses, hosts and secrets of
    its own. `rehearsal` in berth.yaml says what it is told instead: doubles for mail and payment.
    Then both are compared.
    """
    from berthmaster.domain.spec import Overlay
    from berthmaster.services.rehearsals.begin import NewRehearsal
    from berthmaster.services.rehearsals.begin import rehearse as begin_rehearsal
    from berthmaster.services.rehearsals.compare import compare as compare_both

    invocation = context.find_object(Invocation) or Invocation()
    named = tag and check_name("tag", tag)
    overlay = Overlay(tuple(map(_inside, overlays)), parse_places(places))
    wanted = invocation.declared_stack(stack)
    asked = NewRehearsal(
        wanted, invocation.folder_of(wanted), named, parse_images(images), overlay or None
    )

    async def work(outside: "Outside") -> "tuple[Begun, Compared]":
        done = await begin_rehearsal(outside, asked, invocation.progress)
        return done, await compare_both(outside, wanted)

    done, found = changing(invocation, work)
    if invocation.is_json:
        print_json({**_begun_json(done), **_compared_json(found)})
    else:
        _print_begun(done)
        _print_compared(found)
    if not found.is_good:
        context.exit(BAD_CODE)


def _inside(path: str) -> str:
    parts = path.split("/")
    if not path or path.startswith(("/", "~", "-")) or ".." in parts or not path.isprintable():
        raise UserError(f"--overlay wants a file below the folder of berth.yaml, not {path!r}")
    return "/".join(part for part in parts if part not in ("", "."))


def parse_places(pairs: tuple[str, ...]) -> dict[str, str]:
    """Read `NEW=OLD` pairs; raises `UserError`."""
    found: dict[str, str] = {}
    for pair in pairs:
        new, equals, old = pair.partition("=")
        if not equals or new == old:
            raise UserError(f"--map wants NEW=OLD, not {pair!r}")
        found[check_name("service", new)] = check_name("service", old)
    if len(set(found.values())) != len(found) or found.keys() & set(found.values()):
        raise UserError("--map gives one place to two services, or a place to one that leaves its")
    return found


def _begun_json(done: "Begun") -> dict[str, Any]:
    return {
        "stack": str(done.stack),
        "of": str(done.of.stack),
        "of_release": done.of.number,
        "release": done.outcome.plan.new,
        "hosts": done.hosts,
        "restored": done.restored,
        "notes": done.notes,
        "deployment": done.outcome.deployment,
        "seconds": round(done.seconds, 3),
    }


def _print_begun(done: "Begun") -> None:
    of = done.of.stack
    line = paint(f"{done.stack}  runs beside {of} {done.of.label}", "green", bold=True)
    click.echo(f"{line}  ({done.outcome.deployment}, {done.seconds:.1f} s)")
    click.echo(f"  hosts: {', '.join(done.hosts)}")
    if done.restored:
        click.echo(f"  data: {', '.join(done.restored)} of now, restored and verified")
    for note in done.notes:
        click.echo(f"  note: {note}")


@click.command(cls=BerthCommand)
@environment_argument
@click.pass_context
def compare(context: click.Context, stack: str) -> None:
    """Ask production and its copy the same, then smoke the copy.

    The requests of `rehearsal.parity` in berth.yaml: status, kind and JSON shape must be the same.
    """
    from berthmaster.services.rehearsals.compare import compare as compare_both

    invocation = context.find_object(Invocation) or Invocation()
    wanted = declared_environment(invocation, stack)
    found = invocation.run(lambda outside: compare_both(outside, wanted))
    if invocation.is_json:
        print_json(_compared_json(found))
    else:
        _print_compared(found)
    if not found.is_good:
        context.exit(BAD_CODE)


def _compared_json(found: "Compared") -> dict[str, Any]:
    return {
        "is_good": found.is_good,
        "parity": [
            {
                "request": item.request,
                "production": item.production,
                "rehearsal": item.rehearsal,
                "differences": item.differences,
            }
            for item in found.parity
        ],
        "smoke": [
            {"condition": item.condition, "asked": item.way, "error": item.error}
            for item in found.findings
        ],
    }


def _print_compared(found: "Compared") -> None:
    rows = [
        (
            "failed" if item.differences else "ok",
            item.request,
            item.production,
            item.rehearsal,
            text,
        )
        for item in found.parity
        for text in item.differences or ("",)
    ]
    if rows:
        print_table(("IS", "REQUEST", "PRODUCTION", "REHEARSAL", "DIFFERENCE"), rows, coloured=0)
    else:
        click.echo("no request to compare: `rehearsal.parity` in berth.yaml is empty")
    for item in found.unmet:
        click.echo(f"{paint('failed', 'red')}  smoke {item.condition} {item.way}: {item.error}")
    of = found.production.stack
    if found.is_good:
        word = paint("may be shipped", "green", bold=True)
        click.echo(f"{found.rehearsal.stack}  {word}: {found.text}")
        click.echo(f"  ship it: berth rehearse ship {of}; end it: berth rehearse finish {of}")
    else:
        word = paint("must not be shipped", "red", bold=True)
        click.echo(f"{found.rehearsal.stack}  {word}")
        click.echo(f"  mend it, berth rehearse finish {of}, then begin again")


@click.command(cls=BerthCommand)
@environment_argument
@click.pass_obj
def announce(invocation: Invocation, stack: str) -> None:
    """Tell of the next cutover window in .deploy-freeze.

    The notice is recorded and printed as a sentence to post. `rehearsal.notice` in berth.yaml says
    how long before the window it must come.
    """
    from berthmaster.services.rehearsals.announce import announce as announce_window

    wanted = declared_environment(invocation, stack)
    told = announce_window(invocation.outside, wanted, invocation.folder_of(wanted))
    if invocation.is_json:
        values = {"stack": str(told.stack), "since": told.since, "until": told.until}
        print_json({**values, "why": told.why, "text": told.text})
    else:
        click.echo(told.text)


@click.command(cls=BerthCommand)
@environment_argument
@click.option(
    "--maintenance", "is_closed", is_flag=True, help="Put the page up until the new release serves."
)
@click.option("--plan", "is_plan", is_flag=True, help="Show the plan only.")
@click.option(
    "--based-on",
    metavar="HASH",
    help="Refuse when the world is not the one of the plan that was looked at.",
)
@despite_option
@click.pass_obj
def ship(invocation: Invocation, /, stack: str, based_on: str | None, **options: Any) -> None:
    """Make what was rehearsed production's next release.

    The same images by digest. Refused when anything changed since, and when production and its copy
    did not answer alike. Data of the copy stays where it is.
    """
    from berthmaster.services.rehearsals.ship import Shipping, plan_ship
    from berthmaster.services.rehearsals.ship import ship as ship_rehearsed

    wanted = declared_environment(invocation, stack)
    folder = invocation.folder_of(wanted)
    shipping = Shipping(wanted, folder, options["despite"], options["is_closed"])
    if options["is_plan"]:
        print_plan(invocation, invocation.run(lambda outside: plan_ship(outside, shipping)))
        return

    async def work(outside: "Outside") -> "Outcome | Unchanged":
        return await ship_rehearsed(outside, shipping, invocation.progress, based_on=based_on)

    make_live(invocation, wanted, work)
    if not invocation.is_json:
        click.echo(f"  the copy is still there; end it: berth rehearse finish {wanted}")


@click.command(cls=BerthCommand)
@environment_argument
@click.pass_obj
def finish(invocation: Invocation, stack: str) -> None:
    """Remove the copy and all that was made for it."""
    from berthmaster.services.rehearsals.finish import finish as finish_rehearsal

    wanted = declared_environment(invocation, stack)
    done = changing(
        invocation, lambda outside: finish_rehearsal(outside, wanted, invocation.progress)
    )
    _print_finished(invocation, done)


def declared_environment(invocation: Invocation, text: str) -> StackId:
    """The environment that a rehearsal is of; raises `UserError` for a tenant."""
    found = invocation.declared_stack(text)
    if found.tenant is not None:
        raise UserError(f"{text} is no environment: write {text.partition('/')[0]}")
    return found


def _print_finished(invocation: Invocation, done: "Finished") -> None:
    if invocation.is_json:
        print_json({"stack": str(done.stack), "is_gone": True, "removed": done.removed})
        return
    click.echo(f"{done.stack}  is gone, with its database, volumes and secrets")


def try_rollback(invocation: Invocation, stack: StackId) -> None:
    """`berth rollback ENV --rehearse`."""
    from berthmaster.services.rehearsals.turn_back import rehearse_rollback

    done = changing(
        invocation, lambda outside: rehearse_rollback(outside, stack, invocation.progress)
    )
    if invocation.is_json:
        print_json(
            {
                "stack": str(done.stack),
                "to": done.to,
                "rehearsal": str(done.copy),
                "is_warm": done.is_warm,
                "seconds": round(done.outcome.seconds, 3),
                "switch_seconds": round(done.switch_seconds, 3),
                "untouched": done.untouched,
                "changed": done.changed,
                "notes": done.notes,
            }
        )
        return
    way = "a switch" if done.is_warm else "a start from its record"
    word = paint(f"{done.stack}  back to r{done.to} works", "green", bold=True)
    click.echo(f"{word}  ({way}, tried in {done.copy})")
    click.echo(
        f"  the old release answered after {done.switch_seconds:.1f} s; all of it took"
        f" {done.outcome.seconds:.1f} s"
    )
    for note in done.notes:
        click.echo(f"  note: {note}")
    if done.changed:
        click.echo(f"  changed meanwhile in production: {', '.join(done.changed)}")
    else:
        click.echo(f"  production: {done.untouched} containers, none was touched")
