"""`berth tenant add`: one, or a file of many in parallel with a bar and a table of failures."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from berthmaster.cli.files import FileHere
from berthmaster.cli.housekeeping import changing
from berthmaster.cli.invocation import BerthCommand, Invocation
from berthmaster.cli.output import has_colour, print_json, print_table
from berthmaster.cli.tenant import (
    added_json,
    app_here,
    declared_tenant,
    folder_of,
    parse_expiry,
    parse_pairs,
    print_added,
)
from berthmaster.domain.errors import BerthmasterError, InvalidName, UserError
from berthmaster.domain.names import StackId, check_name, parse_stack
from berthmaster.ports.progress import Silence

if TYPE_CHECKING:
    from berthmaster.ports.outside import Outside
    from berthmaster.services.tenants.add import Added, ManyAdded, NewTenant

_COLUMNS: Final = ("name", "domain", "resources", "expires")


@click.command(cls=BerthCommand)
@click.argument("stack", metavar="[APP@]ENV[/TENANT]")
@click.option(
    "--from",
    "source",
    metavar="FILE.csv",
    type=FileHere(),
    help="One tenant for each row; columns as above.",
)
@click.option("--domain", metavar="D", help="Its primary domain, beside NAME.SUFFIX.")
@click.option("--set", "values", metavar="K=V", multiple=True, help="A variable of its own.")
@click.option("--label", "labels", metavar="K=V", multiple=True, help="A label, for rollouts.")
@click.option("--resources", "size", metavar="SIZE", help="One of `tenancy.sizes` of berth.yaml.")
@click.option("--expires", metavar="14d", help="It is suspended then; a date works too.")
@click.option("--server", "place", metavar="S", help="Where: a server, or LABEL=VALUE of some.")
@click.option("--tag", metavar="T", help="Version; by default what its neighbours run.")
@click.option(
    "--parallel",
    metavar="N",
    type=click.IntRange(1, 32),
    default=4,
    help="With --from: tenants at the same time; 4 by default.",
)
@click.pass_context
def add(context: click.Context, /, stack: str, source: Path | None, **given: Any) -> None:
    """Give a customer a stack of their own, and see it answer.

    Secrets, database, domain, certificate and release, in one go.

    The same command again goes on where it was stopped, and changes nothing when all is there.

    A CSV file has the columns name, domain, resources, expires; every other column is a variable
    of the tenant.
    """
    invocation = context.find_object(Invocation) or Invocation()
    if source is None:
        _add_one(invocation, _wanted(invocation, declared_tenant(invocation, stack), given))
        return
    if given["domain"]:
        raise UserError("--domain is one tenant's; with --from it is a column")
    context.exit(_add_many(invocation, _read(invocation, stack, source, given), given))


def _wanted(invocation: Invocation, stack: StackId, given: dict[str, Any]) -> "NewTenant":
    from berthmaster.services.tenants.add import NewTenant

    return NewTenant(
        stack,
        folder_of(invocation, stack),
        check_name("tag", given["tag"]) if given["tag"] else None,
        given["domain"] or None,
        parse_pairs("--set", given["values"]),
        given["size"] or None,
        parse_expiry(given["expires"]),
        parse_pairs("--label", given["labels"]),
    )


def _add_one(invocation: Invocation, wanted: "NewTenant") -> None:
    from berthmaster.services.tenants.add import add_tenant

    done = changing(invocation, lambda world: add_tenant(world, wanted, invocation.progress))
    if invocation.is_json:
        print_json(added_json(done))
    else:
        print_added(done)


def _read(
    invocation: Invocation, environment: str, source: Path, given: dict[str, Any]
) -> "list[NewTenant]":
    """A tenant for each row; every bad row is told at once, with its line."""
    whole = parse_stack(environment, default_app=app_here(invocation))
    if whole.tenant is not None:
        raise UserError(f"--from wants an environment, not the tenant {environment}")
    found: dict[StackId, NewTenant] = {}
    bad = []
    for line, row in _rows(source):
        try:
            stack = StackId(whole.app, whole.environment, row.pop("name"))
            if stack in found:
                raise InvalidName(f"{stack.tenant} is there twice")
            found[stack] = _wanted(invocation, stack, _merged(given, row))
        except BerthmasterError as error:
            bad.append(f"{source.name}:{line}: {error.message}")
    if bad:
        raise UserError("no tenant was added:\n" + "\n".join(bad))
    if not found:
        raise UserError(f"{source.name} names no tenant")
    return list(found.values())


def _rows(source: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if "name" not in (reader.fieldnames or ()):
                raise UserError(f"{source.name} has no column `name`; it may have {_COLUMNS}")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, ValueError, csv.Error) as error:  # no text, or no name of a file
        raise UserError(f"{source} cannot be read: {error}") from error
    found = []
    for line, row in rows:
        if None in row:
            raise UserError(f"{source.name}:{line}: more fields than columns")
        found.append((line, {key: (value or "").strip() for key, value in row.items()}))
    return found


def _merged(given: dict[str, Any], row: dict[str, str]) -> dict[str, Any]:
    """A row over the options that count for all."""
    own = {key: row.pop(key, "") for key in ("domain", "resources", "expires")}
    values = tuple(f"{key}={value}" for key, value in row.items() if value)
    return {
        **given,
        "domain": own["domain"],
        "size": own["resources"] or given["size"],
        "expires": own["expires"] or given["expires"],
        "values": (*given["values"], *values),
    }


def _add_many(invocation: Invocation, wanted: "list[NewTenant]", given: dict[str, Any]) -> int:
    from berthmaster.services.tenants.add import add_tenants

    bar = _Bar(len(wanted), is_json=invocation.is_json)

    async def work(outside: "Outside") -> "ManyAdded":
        return await add_tenants(
            outside, wanted, Silence(), at_once=given["parallel"], tell=bar.tell
        )

    found = changing(invocation, work)
    bar.close()
    if invocation.is_json:
        failed = {str(stack): error.message for stack, error in found.failed}
        print_json({"added": [added_json(item) for item in found.added], "failed": failed})
    else:
        _print_many(found)
    return max((error.exit_code for _, error in found.failed), default=0)


def _print_many(found: "ManyAdded") -> None:
    new = sum(item.outcome is not None for item in found.added)
    there = len(found.added) - new
    if found.failed:
        rows = [(str(stack), error.message.split("\n")[0]) for stack, error in found.failed]
        print_table(("FAILED", "WHY"), rows)
    click.echo(f"{new} added, {there} there already, {len(found.failed)} failed")
    if found.failed:
        click.echo("  the same command again goes on with those that failed")


class _Bar:
    """A bar where a person looks, a line for each tenant elsewhere; on standard error."""

    def __init__(self, total: int, *, is_json: bool) -> None:
        self._total, self._done = total, 0
        import sys

        self._is_bar = has_colour(sys.stderr) and not is_json

    def tell(self, stack: StackId, done: "Added | BerthmasterError") -> None:
        """One more has ended."""
        self._done += 1
        why = done.message.split("\n")[0] if isinstance(done, BerthmasterError) else ""
        ended = f"FAILED: {why}" if why else "ok"
        if self._is_bar:
            filled = 30 * self._done // self._total
            bar = "#" * filled + "-" * (30 - filled)
            if why:
                click.echo(f"\r\x1b[K{stack}  {ended}", err=True)
            click.echo(f"\r\x1b[K[{bar}] {self._done}/{self._total} {stack}", err=True, nl=False)
        else:
            click.echo(f"  {self._done}/{self._total}  {stack}  {ended}", err=True)

    def close(self) -> None:
        """End the line of the bar."""
        if self._is_bar:
            click.echo("", err=True)
