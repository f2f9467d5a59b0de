"""`berth show`: one release or one deployment in full, without a single value of its settings."""

from datetime import datetime
from typing import Any

import click

from berthmaster.cli.container import split_stack
from berthmaster.cli.deployment import deployment_number
from berthmaster.cli.invocation import BerthCommand, Invocation, complete_stacks
from berthmaster.cli.output import COLOURS, age, clock_time, paint, print_json, print_table
from berthmaster.cli.release import release_number
from berthmaster.domain.deployment import Deployment, JournalRow, StepState
from berthmaster.domain.errors import NotFound, UserError
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.domain.sealed import SealedValues
from berthmaster.services.follow_logs import find_release

LISTED = 20


@click.command(cls=BerthCommand)
@click.argument("words", metavar="[STACK] [rN|dN]", nargs=-1, shell_complete=complete_stacks)
@click.pass_obj
def show(invocation: Invocation, words: tuple[str, ...]) -> None:
    """Show a deployment (d41), a release (r7), or what was last."""
    last = words[-1] if words else ""
    if last[:1] == "d" and last[1:].isdecimal():
        _show_deployment(invocation, deployment_number(last))
    elif last[:1] == "r" and last[1:].isdecimal():
        stack = _stack(invocation, words[:-1])
        _show_release(invocation, find_release(invocation.outside, stack, release_number(last)))
    elif words:
        stack = _stack(invocation, words)
        _show_release(invocation, find_release(invocation.outside, stack))
    else:
        _list_deployments(invocation)


def _stack(invocation: Invocation, words: tuple[str, ...]) -> StackId:
    stack, rest = split_stack(invocation, words)
    if rest:
        raise UserError(f"{rest[0]!r} is no stack, no release and no deployment: berth show d41")
    return stack


def _list_deployments(invocation: Invocation) -> None:
    found = invocation.outside.store.deployments(None, LISTED)
    if invocation.is_json:
        print_json({"deployments": [_deployment_json(item) for item in found]})
        return
    if not found:
        click.echo("nothing was deployed yet: berth deploy ENV")
        return
    head = ("DEPLOYMENT", "STATE", "STACK", "VERB", "RELEASE", "AGE", "BY")
    rows = [
        (
            item.label,
            item.state.value,
            str(item.stack),
            item.verb,
            f"r{item.release}" if item.release is not None else "-",
            age(item.started_at),
            item.actor,
        )
        for item in found
    ]
    print_table(head, rows, coloured=1)


def _show_deployment(invocation: Invocation, number: int) -> None:
    store = invocation.outside.store
    deployment = store.deployment(number)
    if deployment is None:
        raise NotFound(f"there is no deployment d{number}", next_command="berth show")
    rows = store.journal(number)
    if invocation.is_json:
        print_json({**_deployment_json(deployment), "journal": _journal_json(rows)})
        return
    release = f"  r{deployment.release}" if deployment.release else ""
    state = paint(deployment.state.value, COLOURS.get(deployment.state.value), bold=True)
    click.echo(f"{deployment.stack}  {deployment.label}  {deployment.verb}{release}  {state}")
    ended = f", ended {clock_time(deployment.ended_at)}" if deployment.ended_at else ""
    click.echo(f"by {deployment.actor}, started {clock_time(deployment.started_at)}{ended}\n")
    _print_timeline(deployment, rows)
    _print_list("overridden in berth.yaml", deployment.plan.overrides)
    if deployment.error:
        click.echo(f"\n{deployment.error}")


def _print_timeline(deployment: Deployment, rows: tuple[JournalRow, ...]) -> None:
    steps = {step.number: step for step in deployment.plan.steps}
    begun: dict[tuple[int, bool], datetime] = {}
    lines = []
    for row in rows:
        is_undo = row.state in (StepState.UNDO_STARTED, StepState.UNDONE, StepState.UNDO_FAILED)
        if row.state in (StepState.STARTED, StepState.UNDO_STARTED):
            begun[(row.step, is_undo)] = row.at
            continue
        step = steps[row.step]
        started = begun.pop((row.step, is_undo), row.at)
        what = f"undo: {step.undo_text}" if is_undo else step.what
        offset = (started - deployment.started_at).total_seconds()
        took = (row.at - started).total_seconds()
        state = {StepState.SUCCEEDED: "ok", StepState.UNDONE: "undone"}.get(row.state, "failed")
        detail = row.detail.splitlines()[0] if row.detail else ""
        lines.append(
            (f"{offset:7.1f} s", f"#{row.step}", step.subject, what, state, f"{took:.1f} s", detail)
        )
    for (number, is_undo), at in begun.items():
        step = steps[number]
        offset = (at - deployment.started_at).total_seconds()
        what = f"undo: {step.undo_text}" if is_undo else step.what
        lines.append((f"{offset:7.1f} s", f"#{number}", step.subject, what, "begun", "", ""))
    if lines:
        print_table(("AT", "STEP", "SUBJECT", "WHAT", "STATE", "TOOK", "FOUND"), lines, coloured=4)


def _deployment_json(item: Deployment) -> dict[str, Any]:
    return {
        "deployment": item.label,
        "stack": str(item.stack),
        "verb": item.verb,
        "release": item.release,
        "state": item.state,
        "actor": item.actor,
        "started_at": item.started_at,
        "ended_at": item.ended_at,
        "report": item.error,
        "overrides": item.plan.overrides,
    }


def _journal_json(rows: tuple[JournalRow, ...]) -> list[dict[str, Any]]:
    return [
        {"step": row.step, "state": row.state, "at": row.at, "detail": row.detail} for row in rows
    ]


def _show_release(invocation: Invocation, release: Release) -> None:
    keys = _config_keys(invocation, release)
    record = invocation.outside.store.stack(release.stack)
    is_live = record is not None and record.live == release.number
    if invocation.is_json:
        print_json(_release_json(release, keys, is_live=is_live))
        return
    state = "live" if is_live else release.state.value
    title = paint(state, COLOURS.get(state), bold=True)
    click.echo(f"{release.stack}  {release.label}  {title}")
    facts = [
        f"revision {release.revision}" if release.revision else "",
        f"tag {release.tag or '-'}",
    ]
    click.echo(f"{', '.join(item for item in facts if item)}, artifact {release.artifact[:12]}")
    click.echo(
        f"by {release.created_by} from {release.created_from}, {age(release.created_at)} ago\n"
    )
    rows = [
        (
            item.name,
            item.role.value,
            short_image(item.image.runs_as) if item.image else "-",
            ", ".join(item.containers) or "-",
            item.reason,
        )
        for item in release.services
    ]
    print_table(("SERVICE", "ROLE", "IMAGE", "CONTAINERS", "WHY"), rows)
    _print_list("routes", _route_lines(release))
    _print_list("volumes", release.volumes)
    _print_list("files", [f"{item.target} {oct(item.mode)[2:]}" for item in release.files])
    _print_list("config keys", [f"{name}: {', '.join(found)}" for name, found in keys.items()])


def short_image(runs_as: str) -> str:
    """Twelve digits of the digest are enough for a person."""
    name, mark, digest = runs_as.rpartition("sha256:")
    return f"{name}{mark}{digest[:12]}" if mark else runs_as


def _print_list(title: str, lines: Any) -> None:
    if lines:
        click.echo(f"\n{title}")
        for line in lines:
            click.echo(f"  {line}")


def _route_lines(release: Release) -> list[str]:
    from berthmaster.planner.deploy import describe_routes

    return describe_routes(release)


def _config_keys(invocation: Invocation, release: Release) -> dict[str, list[str]]:
    """Names only; the vault is opened and its values are dropped at once."""
    sealed = SealedValues.from_bytes(invocation.outside.vault.open(release.sealed))
    names = {key: item.name for item in release.services for key in item.compose_services}
    found: dict[str, list[str]] = {}
    for key, values in sorted(sealed.environment.items()):
        if values:
            found[names.get(key, key)] = sorted(values)
    return found


def _release_json(release: Release, keys: dict[str, list[str]], *, is_live: bool) -> dict[str, Any]:
    return {
        "stack": str(release.stack),
        "release": release.number,
        "is_live": is_live,
        "state": release.state,
        "artifact": release.artifact,
        "revision": release.revision,
        "tag": release.tag,
        "created_by": release.created_by,
        "created_from": release.created_from,
        "created_at": release.created_at,
        "hosts": release.hosts,
        "entrypoint": release.entrypoint,
        "services": [
            {
                "name": item.name,
                "role": item.role,
                "reason": item.reason,
                "image": item.image.reference if item.image else None,
                "runs_as": item.image.runs_as if item.image else None,
                "containers": item.containers,
            }
            for item in release.services
        ],
        "routes": _route_lines(release),
        "volumes": release.volumes,
        "config_keys": keys,
    }
