"""`berth rollout`: a new version for every tenant of an environment, and the board of it."""

from typing import TYPE_CHECKING, Any, Final

import click

from berthmaster.cli.housekeeping import changing
from berthmaster.cli.invocation import BerthCommand, Invocation, complete_stacks
from berthmaster.cli.output import paint, print_json, print_table
from berthmaster.domain.errors import UserError
from berthmaster.domain.names import StackId, check_name
from berthmaster.domain.rollout import LineState, Rollout, RolloutLine, RolloutState

if TYPE_CHECKING:
    from berthmaster.ports.outside import Outside

BAD_CODE: Final = 1
_COLOURS: Final = {
    RolloutState.DONE: "green",
    RolloutState.STOPPED: "red",
    RolloutState.PAUSED: "yellow",
}


@click.command(cls=BerthCommand)
@click.argument("words", metavar="[show] [APP@]ENV", nargs=-1, shell_complete=complete_stacks)
@click.option("--tag", metavar="T", help="The version that every tenant gets.")
@click.option("--canary", "canaries", metavar="NAME", multiple=True, help="This tenant goes first.")
@click.option(
    "--wave",
    "wave_size",
    metavar="N",
    type=click.IntRange(1, 1000),
    default=10,
    help="Tenants in each wave; 10 by default.",
)
@click.option(
    "--parallel",
    metavar="N",
    type=click.IntRange(1, 32),
    default=4,
    help="Tenants at the same time; 4 by default.",
)
@click.option(
    "--max-failed",
    "budget",
    metavar="N",
    type=click.IntRange(0, 1000),
    default=0,
    help="Stop when more tenants than these have failed; 0 by default.",
)
@click.option("--pause", "is_pause", is_flag=True, help="Let no further tenant begin.")
@click.option("--continue", "is_continue", is_flag=True, help="Go on; failed ones again.")
@click.option("--back", "is_back", is_flag=True, help="Return all that got it to what they had.")
@click.pass_context
def rollout(context: click.Context, /, words: tuple[str, ...], **given: Any) -> None:
    """Give every tenant a new version.

    Canaries first, then wave after wave.

    A tenant that refuses it keeps its old release; more than --max-failed of them stop the rollout.
    Pinned and suspended tenants are left out. `show` prints how far each one is.
    """
    invocation = context.find_object(Invocation) or Invocation()
    is_show = words[:1] == ("show",)
    where = _environment(invocation, words[1:] if is_show else words)
    asked = [name for name in ("is_pause", "is_continue", "is_back") if given[name]]
    if len(asked) + bool(given["tag"]) + is_show > 1:
        raise UserError("one at a time: --tag, --pause, --continue, --back or show")
    if is_show:
        found = _newest(invocation, where)
    elif not asked and not given["tag"]:
        raise UserError(
            "which version? --tag T begins one", next_command=f"berth rollout show {where}"
        )
    else:
        found = _act(invocation, where, asked[0] if asked else "", given)
    if invocation.is_json:
        print_json(_json(found))
    else:
        _print(found)
    bad = (RolloutState.STOPPED,)
    if found.state in bad and not is_show:
        context.exit(BAD_CODE)


def _environment(invocation: Invocation, words: tuple[str, ...]) -> StackId:
    if len(words) > 1:
        raise UserError(f"one environment at a time, not {' '.join(words)}")
    found = invocation.declared_stack(words[0] if words else None)
    if found.tenant is not None:
        raise UserError(f"a rollout is about an environment: write {found.environment}")
    return found


def _newest(invocation: Invocation, where: StackId) -> Rollout:
    from berthmaster.services.rollout import newest

    return newest(invocation.outside, where.app, where.environment)


def _act(invocation: Invocation, where: StackId, what: str, given: dict[str, Any]) -> Rollout:
    from berthmaster.cli.tenant import folder_of
    from berthmaster.services import rollout as service

    app, environment, progress = where.app, where.environment, invocation.progress

    def tell(line: RolloutLine) -> None:
        progress.note(f"{line.stack}  {_told(line)}")

    if what == "is_pause":
        return service.pause(invocation.outside, app, environment)
    if what == "is_back":
        return changing(
            invocation,
            lambda world: service.go_back(world, app, environment, progress, tell),
        )
    folder = folder_of(invocation, where)
    if what == "is_continue":
        return changing(
            invocation,
            lambda world: service.go_on(world, app, environment, folder, progress, tell),
        )
    wanted = service.RolloutRequest(
        app,
        environment,
        folder,
        check_name("tag", given["tag"]),
        given["canaries"],
        given["wave_size"],
        given["parallel"],
        given["budget"],
    )

    async def begin(outside: "Outside") -> Rollout:
        return await service.start(outside, wanted, progress, tell)

    return changing(invocation, begin)


def _told(line: RolloutLine) -> str:
    note = f": {line.note}" if line.note else ""
    return f"{line.state.value}{note}"


def _print(found: Rollout) -> None:
    """The board: tenant by release."""
    rows = [
        (
            str(line.stack),
            "canary" if line.wave == 0 and line.state is not LineState.SKIPPED else _wave(line),
            line.state.value,
            "-" if line.old is None else f"r{line.old}",
            "-" if line.new is None else f"r{line.new}",
            line.note,
        )
        for line in found.lines
    ]
    print_table(("TENANT", "WAVE", "STATE", "HAD", "HAS", "NOTE"), rows, coloured=2)
    counts = [f"{found.count(state)} {state.value}" for state in LineState if found.count(state)]
    state = paint(found.state.value, _COLOURS.get(found.state), bold=True)
    click.echo(f"\n{found.name} to {found.tag} is {state}: {', '.join(counts)}")
    where = f"{found.app}@{found.environment}"
    if found.state in (RolloutState.STOPPED, RolloutState.PAUSED, RolloutState.RUNNING):
        click.echo(f"  go on: berth rollout {where} --continue; undo: berth rollout {where} --back")


def _wave(line: RolloutLine) -> str:
    return "-" if line.state is LineState.SKIPPED else str(line.wave)


def _json(found: Rollout) -> dict[str, Any]:
    return {
        "app": found.app,
        "environment": found.environment,
        "tag": found.tag,
        "state": found.state,
        "started_at": found.started_at,
        "started_by": found.started_by,
        "at_once": found.at_once,
        "max_failed": found.budget,
        "tenants": [
            {
                "tenant": str(line.stack),
                "wave": line.wave,
                "state": line.state,
                "had": line.old,
                "has": line.new,
                "note": line.note,
            }
            for line in found.lines
        ],
    }
