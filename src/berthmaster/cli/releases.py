"""`berth releases`: a stack's releases, newest first, and what was said of them."""

import re
from typing import Any

import click

from berthmaster.cli.invocation import BerthCommand, Invocation, stack_argument
from berthmaster.cli.output import age, clock_time, print_json, print_table
from berthmaster.domain.errors import NotFound
from berthmaster.domain.release import ADOPTED
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.ports.store import ReleaseSummary
from berthmaster.services.read_marks import Marks, read_marks


@click.command(cls=BerthCommand)
@stack_argument
@click.pass_obj
def releases(invocation: Invocation, stack: str | None) -> None:
    """List a stack's releases, newest first."""
    wanted = invocation.known_stack(stack)
    store = invocation.outside.store
    if store.stack(wanted) is None:
        raise NotFound(f"there is no stack {wanted}", next_command="berth status")
    found, marks = store.releases(wanted), read_marks(invocation.outside, wanted)
    if invocation.is_json:
        rows = [_json(item, marks) for item in found]
        print_json({"stack": str(wanted), "held_because": marks.held, "releases": rows})
        return
    if marks.held:
        click.echo(f"held: {marks.held}")
    head = ("RELEASE", "STATE", "TAG", "REVISION", "ARTIFACT", "AGE", "BY", "NOTES")
    print_table(head, [_row(item, marks) for item in found], coloured=1)


def _row(item: ReleaseSummary, marks: Marks) -> tuple[str, ...]:
    is_warm = item.warm_until and item.state is ReleaseState.WARM
    notes = [f"until {clock_time(item.warm_until)}"] if is_warm and item.warm_until else []
    if is_warm and item.number == ADOPTED:
        notes.append("and as long as visitors may reach it past the gateway")
    return (
        f"r{item.number}",
        item.state.value,
        _short(item.tag),
        (item.revision or "-")[:12],
        item.artifact[:12],
        age(item.created_at),
        item.created_by,
        "; ".join((*notes, *marks.of(item.artifact))),
    )


def _short(tag: str | None) -> str:
    """A whole commit as its beginning: enough for a person, and for `rollback --tag`."""
    is_commit = tag is not None and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", tag)
    return (tag[:12] if is_commit else tag) if tag else "-"


def _json(item: ReleaseSummary, marks: Marks) -> dict[str, Any]:
    return {
        "release": item.number,
        "state": item.state,
        "tag": item.tag,
        "revision": item.revision,
        "artifact": item.artifact,
        "created_at": item.created_at,
        "created_by": item.created_by,
        "warm_until": item.warm_until,
        "is_verified": item.artifact in marks.verified,
        "rejected_because": marks.rejected.get(item.artifact),
        "approved_by": marks.approved.get(item.artifact, ()),
    }
