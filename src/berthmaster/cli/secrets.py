"""`berth secrets`: the values of an environment, from their making to their rotation.

A value comes in over standard input or a prompt without echo, never as an argument, and none is
ever printed.
"""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from berthmaster.cli.group import LazyGroup
from berthmaster.cli.housekeeping import changing
from berthmaster.cli.invocation import BerthCommand, Invocation, stack_argument
from berthmaster.cli.output import age, print_json, print_table
from berthmaster.cli.release import outcome_json
from berthmaster.domain.errors import OutsideError, UserError
from berthmaster.domain.names import StackId
from berthmaster.domain.rehearsal import REHEARSAL, production_of

if TYPE_CHECKING:
    from berthmaster.planner.secretrules import Finding, Held
    from berthmaster.ports.outside import Outside
    from berthmaster.services.give_secrets import Given
    from berthmaster.services.read_secrets import Inventory
    from berthmaster.services.rotate_secret import Rotated

MARK_DIGITS = 8
_HERE = "berthmaster.cli.secrets"


@click.group(
    cls=LazyGroup,
    sections={
        "Secrets": {
            "init": f"{_HERE}:init",
            "set": f"{_HERE}:set_",
            "list": f"{_HERE}:list_",
            "check": f"{_HERE}:check",
            "rotate": f"{_HERE}:rotate",
        }
    },
)
def secrets() -> None:
    """Make, give, check and rotate secrets; none is ever shown."""


@click.command(cls=BerthCommand)
@stack_argument
@click.pass_obj
def init(invocation: Invocation, stack: str | None) -> None:
    """Make what is missing, and say what only a person can give.

    Writes over nothing. Kinds are told by `secrets` of berth.yaml, else guessed from the name.
    """
    from berthmaster.services.give_secrets import init_secrets

    wanted = invocation.declared_stack(stack)
    folder = invocation.folder_of(wanted)
    done = init_secrets(invocation.outside, folder, wanted.environment, wanted.tenant)
    if invocation.is_json:
        rows = {"made": done.made, "there": done.there, "wanted": done.wanted}
        found = {key: [_given_json(item) for item in items] for key, items in rows.items()}
        print_json({"environment": done.environment, **found})
        return
    for item in done.made:
        guess = " (guessed from its name)" if item.is_guessed else ""
        click.echo(f"made      {item.where}  {item.kind}{guess}")
    for item in done.there:
        click.echo(f"there     {item.where}  {item.kind}")
    for item in done.wanted:
        click.echo(f"yours     {item.name}  {item.kind}; {item.location} asks for it")
        click.echo(f"          {_how(item, wanted)}")
    if not (done.made or done.there or done.wanted):
        click.echo(f"no Compose file of {done.environment} asks for anything")
    click.echo(f"  next: berth secrets check {done.environment}", err=True)


def _how(item: "Given", stack: StackId) -> str:
    if item.kind == "configuration":
        return f"write {item.name}=... into {item.where}"
    tenant = f"/{stack.tenant}" if stack.tenant else ""
    return f"berth secrets set {stack.environment}{tenant} {item.name}"


def _given_json(item: "Given") -> dict[str, Any]:
    return {
        "name": item.name,
        "kind": item.kind,
        "where": item.where,
        "is_guessed": item.is_guessed,
        "asked_for_at": item.location,
    }


@click.command("set", cls=BerthCommand)
@click.argument("stack", metavar="[APP@]ENV[/TENANT]")
@click.argument("name")
@click.option("--force", is_flag=True, help="Also a value or a name that the rules refuse.")
@click.option("--exact", is_flag=True, help="Keep a line break at the end of one line.")
@click.pass_obj
def set_(invocation: Invocation, stack: str, name: str, force: bool, exact: bool) -> None:
    """Write a value from standard input or a hidden prompt.

    A single line loses its line break; several lines (a PEM file) are kept byte for byte. The
    next deploy applies it.
    """
    from berthmaster.services.give_secrets import set_secret

    wanted = invocation.declared_stack(stack)
    folder = invocation.folder_of(wanted)
    where = set_secret(
        invocation.outside,
        folder,
        wanted.environment,
        name,
        read_value(name, is_exact=exact),
        tenant=wanted.tenant,
        is_forced=force,
    )
    if invocation.is_json:
        print_json({"environment": wanted.environment, "name": name, "where": where})
        return
    click.echo(f"{name}  written to {where}")
    is_copy = wanted.tenant == REHEARSAL
    following = f"rehearse {production_of(wanted)}" if is_copy else f"deploy {wanted}"
    click.echo(f"  next: berth {following}", err=True)


def read_value(name: str, *, is_exact: bool = False) -> bytes:
    """The value from standard input; asked for twice, without echo, at a terminal."""
    if sys.stdin.isatty():
        text = click.prompt(
            name, hide_input=True, confirmation_prompt="once more", err=True, prompt_suffix=": "
        )
        return str(text).encode()
    value = sys.stdin.buffer.read()
    line = value.removesuffix(b"\n").removesuffix(b"\r")
    return value if is_exact or b"\n" in line else line


@click.command("list", cls=BerthCommand)
@stack_argument
@click.pass_obj
def list_(invocation: Invocation, stack: str | None) -> None:
    """List names, kinds, readers, ages and modes.

    Without an environment, of all in berth.yaml. Equal marks are equal values; a mark is a keyed
    hash and tells nothing else.
    """
    found = [(item, _marks(invocation, item)) for item in _inventories(invocation, stack)]
    if invocation.is_json:
        rows = [
            _held_json(inventory, held, marks)
            for inventory, marks in found
            for held in inventory.held
        ]
        print_json({"secrets": rows})
        return
    # One environment is named by whoever asks: the column says nothing, and the rest fits.
    begin = 0 if stack is None else 1
    head = ("ENV", "NAME", "KIND", "MARK", "AGE", "MODE", "SOURCE", "READ BY")[begin:]
    rows_ = [
        _row(inventory, held, marks)[begin:]
        for inventory, marks in found
        for held in inventory.held
        if held.wanted.is_secret
    ]
    if rows_:
        print_table(head, rows_)
    else:
        click.echo("no Compose file asks for a secret")


def _inventories(invocation: Invocation, stack: str | None) -> "list[Inventory]":
    from berthmaster.services.read_secrets import read_secrets

    if stack is not None:
        wanted = invocation.declared_stack(stack)
        folder = invocation.folder_of(wanted)
        return [read_secrets(invocation.outside, folder, wanted.environment, wanted.tenant)]
    folder = invocation.folder.resolve()
    names = invocation.outside.specs.read(folder).environments
    return [read_secrets(invocation.outside, folder, name) for name in names]


def _marks(invocation: Invocation, inventory: "Inventory") -> dict[str, str]:
    """Without the server's key there are no marks; everything else can be shown."""
    from berthmaster.services.judge_secrets import marks_of

    try:
        return marks_of(invocation.outside, inventory)
    except OutsideError:
        return {}


def _row(inventory: "Inventory", held: "Held", marks: dict[str, str]) -> tuple[str, ...]:
    kind = held.wanted.kind.value if held.wanted.kind else "-"
    is_set = held.value is not None
    file = held.file if is_set else None
    return (
        inventory.environment.name,
        held.name,
        kind + (" ?" if held.wanted.is_guessed else ""),
        marks.get(held.name, "-")[:MARK_DIGITS],
        age(datetime.fromtimestamp(file.changed_at, UTC)) if file else "-",
        f"{file.mode:04o}" if file else "-",
        held.source or ("default" if held.wanted.need.default is not None else "missing"),
        ", ".join(held.wanted.need.services) or "-",
    )


def _held_json(inventory: "Inventory", held: "Held", marks: dict[str, str]) -> dict[str, Any]:
    file = held.file
    return {
        "environment": inventory.environment.name,
        "name": held.name,
        "kind": held.wanted.kind or "configuration",
        "is_guessed": held.wanted.is_guessed,
        "delivery": held.wanted.need.delivery,
        "mark": marks.get(held.name, "")[:MARK_DIGITS] or None,
        "changed_at": datetime.fromtimestamp(file.changed_at, UTC) if file else None,
        "mode": f"{file.mode:04o}" if file else None,
        "source": held.source or None,
        "has_value": held.value is not None,
        "services": held.wanted.need.services,
        "asked_for_at": held.wanted.need.location,
    }


@click.command(cls=BerthCommand)
@stack_argument
@click.pass_context
def check(context: click.Context, stack: str | None) -> None:
    """Find what is missing, weak, open to others or shared.

    Without an environment, of all in berth.yaml. Ends 2 when something must be changed.
    """
    from berthmaster.services.judge_secrets import judge_secrets, judge_shared

    invocation = context.find_object(Invocation) or Invocation()
    found: list[tuple[str, Finding]] = []
    notes: list[str] = []
    for inventory in _inventories(invocation, stack):
        name = inventory.environment.name
        found += [(name, item) for item in judge_secrets(invocation.outside, inventory)]
        if not inventory.scene.is_strict:
            continue
        try:
            found += [(name, item) for item in judge_shared(invocation.outside, inventory)]
        except OutsideError as error:
            notes.append(f"{name}: not compared with other environments: {error.message}")
    _print_findings(invocation, found, notes)
    is_bad = any(item.rule != "expiring" for _, item in found)
    context.exit(2 if is_bad else 3 if notes else 0)


def _print_findings(
    invocation: Invocation, found: "Iterable[tuple[str, Finding]]", notes: list[str]
) -> None:
    found = list(found)
    if invocation.is_json:
        rows = [
            {
                "environment": name,
                "rule": item.rule,
                "name": item.name,
                "evidence": item.evidence,
                "remedy": item.remedy,
            }
            for name, item in found
        ]
        print_json({"findings": rows, "notes": notes})
        return
    if found:
        head = ("ENV", "RULE", "NAME", "EVIDENCE")
        print_table(head, [(name, item.rule, item.name, item.evidence) for name, item in found])
        click.echo("\nto do")
        for remedy in dict.fromkeys(item.remedy for _, item in found):
            click.echo(f"  {remedy}")
    elif not notes:
        click.echo("every secret is set, strong, and for its owner's eyes only")
    for note in notes:
        click.echo(note, err=True)


@click.command(cls=BerthCommand)
@click.argument("stack", metavar="[APP@]ENV[/TENANT]")
@click.argument("name")
@click.option("--given", is_flag=True, help="Take the value as `set` does, instead of making one.")
@click.option("--write-only", is_flag=True, help="Write the value; the next deploy applies it.")
@click.pass_obj
def rotate(invocation: Invocation, stack: str, name: str, given: bool, write_only: bool) -> None:
    """Give a secret a new value and make a release that has it.

    The release runs the artifact that is live and nothing else changes. PostgreSQL gets its new
    password in the same deployment. A rollback brings the old value back.
    """
    from berthmaster.services.rotate_secret import Rotation, rotate_secret

    wanted = invocation.declared_stack(stack)
    value = read_value(name) if given else None
    if value is not None and not value:
        raise UserError(f"{name}: the value is empty; nothing was written")
    asked = Rotation(wanted, invocation.folder_of(wanted), name, value, write_only)

    async def work(outside: "Outside") -> "tuple[Rotated, dict[str, Any]]":
        done = await rotate_secret(outside, asked, invocation.progress)
        return done, outcome_json(outside, done.outcome) if done.outcome else {}

    done, facts = changing(invocation, work)
    if invocation.is_json:
        print_json({"stack": str(wanted), "names": done.names, **facts})
        return
    names = ", ".join(done.names)
    if done.outcome is None:
        click.echo(f"{names}  has a new value, which nothing uses yet: berth deploy {wanted}")
        return
    plan = done.outcome.plan
    click.echo(f"{names}  has a new value: {wanted} r{plan.new} is live with it")
    click.echo(f"  turn back: berth rollback {wanted} --to r{plan.old}")
