"""`berth approve`, `hold`, `unhold`, `reject`: what a person says of an artifact or a stack."""

from typing import TYPE_CHECKING

import click

from berthmaster.cli.container import is_stack
from berthmaster.cli.invocation import BerthCommand, Invocation, complete_stacks, stack_argument
from berthmaster.cli.output import print_json
from berthmaster.cli.release import check_reason
from berthmaster.domain.errors import UserError
from berthmaster.domain.names import StackId

if TYPE_CHECKING:
    from berthmaster.services.judge import Named


def _check_why(_: click.Context, __: click.Parameter, value: str | None) -> str:
    return "" if value is None else check_reason("--why", value)


_must_say = click.option(
    "--why", metavar="TEXT", required=True, callback=_check_why, help="The reason; it is recorded."
)
_may_say = click.option(
    "--why", metavar="TEXT", callback=_check_why, help="The reason; it is recorded."
)


@click.command(cls=BerthCommand)
@stack_argument
@_must_say
@click.pass_obj
def hold(invocation: Invocation, stack: str | None, why: str) -> None:
    """Let nobody deploy to a stack without saying why.

    `deploy --all` leaves it out; deploy and promote are refused without --despite. A rollback is
    allowed.
    """
    from berthmaster.services.judge import hold_stack

    wanted = invocation.known_stack(stack)
    hold_stack(invocation.outside, wanted, why)
    if invocation.is_json:
        print_json({"stack": str(wanted), "is_held": True, "why": why})
    else:
        click.echo(f"{wanted}  is held: {why}\n  lift it: berth unhold {wanted}")


@click.command(cls=BerthCommand)
@stack_argument
@_may_say
@click.pass_obj
def unhold(invocation: Invocation, stack: str | None, why: str) -> None:
    """Lift the hold of a stack."""
    from berthmaster.services.judge import release_hold

    wanted = invocation.known_stack(stack)
    release_hold(invocation.outside, wanted, why)
    if invocation.is_json:
        print_json({"stack": str(wanted), "is_held": False, "why": why})
    else:
        click.echo(f"{wanted}  is not held any more")


@click.command(cls=BerthCommand)
@click.argument("stack", metavar="[APP@]ENV", shell_complete=complete_stacks)
@click.argument("artifact", metavar="ARTIFACT|dN")
@_may_say
@click.pass_obj
def approve(invocation: Invocation, stack: str, artifact: str, why: str) -> None:
    """Agree that an artifact goes to a stack.

    An environment with `approval: true` wants this of somebody else than who deploys.
    """
    from berthmaster.services.judge import approve as approve_artifact
    from berthmaster.services.judge import find_artifact

    wanted = invocation.declared_stack(stack)
    named = find_artifact(invocation.outside, wanted.app, artifact)
    approve_artifact(invocation.outside, wanted, named, why)
    _print(invocation, named, f"is approved for {wanted} by {invocation.outside.actor}", "approved")


@click.command(cls=BerthCommand)
@click.argument("words", metavar="[STACK] ARTIFACT|dN|rN", nargs=-1, shell_complete=complete_stacks)
@click.option("--undo", "is_undone", is_flag=True, help="Allow the artifact again.")
@_must_say
@click.pass_obj
def reject(invocation: Invocation, words: tuple[str, ...], is_undone: bool, why: str) -> None:
    """Let nobody deploy an artifact, in any environment.

    What runs it now runs on; roll it back if it must go.
    """
    from berthmaster.services.judge import find_artifact, take_back_rejection
    from berthmaster.services.judge import reject as reject_artifact

    stack, text = _named(invocation, words)
    named = find_artifact(invocation.outside, stack.app, text, stack)
    say = take_back_rejection if is_undone else reject_artifact
    say(invocation.outside, stack.app, named, why)
    word = "is allowed again" if is_undone else f"is rejected: {why}"
    _print(invocation, named, word, "unrejected" if is_undone else "rejected")


def _named(invocation: Invocation, words: tuple[str, ...]) -> tuple[StackId, str]:
    if len(words) == 2:
        return invocation.known_stack(words[0]), words[1]
    if len(words) != 1 or is_stack(invocation, words[0]):
        raise UserError("name one artifact: berth reject [STACK] 3f2a91c0d4e7, d41 or r7")
    here = invocation.outside.store.stacks()
    apps = {item.id.app for item in here}
    if len(apps) == 1 and words[0][:1] != "r":
        return here[0].id, words[0]
    return invocation.known_stack(None), words[0]


def _print(invocation: Invocation, named: "Named", text: str, kind: str) -> None:
    if invocation.is_json:
        print_json({"artifact": named.artifact, "said": kind, "by": invocation.outside.actor})
    else:
        click.echo(f"artifact {named.text} {text}")
