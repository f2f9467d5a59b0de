"""`berth server backup` and `berth server restore`."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from berthmaster.cli.files import STREAM, FileHere
from berthmaster.cli.invocation import BerthCommand, Invocation
from berthmaster.cli.output import print_json, print_table
from berthmaster.domain.errors import InvalidSpec, OutsideError, UserError

if TYPE_CHECKING:
    from berthmaster.domain.backup import Copy, Manifest
    from berthmaster.ports.backups import Backups
    from berthmaster.ports.outside import Outside
    from berthmaster.services.back_up_server import BackupDone
    from berthmaster.services.restore_server import ServerRestored
    from berthmaster.services.verify_backup import Verified

TARGET = "A folder, ssh://user@host/folder, or s3:https://host/bucket"


@click.command(cls=BerthCommand)
@click.option("--to", "target", metavar="TARGET", help=f"{TARGET}; else the setting backup.target.")
@click.option(
    "--verify", is_flag=True, help="Read the newest backup again and restore it on trial."
)
@click.option("--list", "is_list", is_flag=True, help="List the backups in the target.")
@click.option("--backup", "wanted", metavar="ID", help="With --verify: this backup.")
@click.pass_obj
def backup(
    invocation: Invocation, target: str | None, verify: bool, is_list: bool, wanted: str | None
) -> None:
    """Save everything that a new server needs to be this one.

    Store, key, settings, apps, releases with images, databases, volumes, certificates. Encrypted
    under an escrow code that is printed once; only what is new is written. Exit 3 when a part
    could not be saved.
    """
    place = target or invocation.settings.backup.target
    if place is None:
        raise UserError(
            "where to? there is no backup target in the settings",
            next_command="berth server backup --to ssh://user@host/folder",
        )
    if wanted and not verify:
        raise UserError("--backup belongs to --verify")
    backups = _backups(invocation, place)
    if is_list:
        _list(invocation, backups)
    elif verify:
        _verify(invocation, backups, wanted)
    else:
        _back_up(invocation, backups)


@click.command(cls=BerthCommand)
@click.option("--from", "target", metavar="TARGET", required=True, help=f"{TARGET}.")
@click.option(
    "--backup", "wanted", metavar="ID", help="This backup; by default the newest whole one."
)
@click.option(
    "--code-file",
    metavar="FILE",
    type=FileHere(),
    help="File with the escrow code; by default it is asked for.",
)
@click.pass_obj
def restore(
    invocation: Invocation, target: str, wanted: str | None, code_file: Path | None
) -> None:
    """Bring all of a backup back, on this fresh server.

    Places files, loads images, restores databases and starts every stack. The same command goes on
    after a kill.
    """
    from berthmaster.services.restore_server import choose_copy, unfinished_restore

    code = _ask_code(code_file)
    backups = _backups(invocation, target)
    backups.use(code)
    wanted = wanted or unfinished_restore(invocation.settings.state_folder)
    copy = invocation.run(lambda _: choose_copy(backups, wanted))
    manifest = _manifest(invocation, backups, copy)
    if _place_settings(manifest):
        invocation = Invocation(invocation.folder, invocation.is_json)  # reads them
        backups = _backups(invocation, target)
        backups.use(code)
    done = _restore(invocation, backups, copy, manifest)
    _listen_as_before(invocation)
    _print_restored(invocation, done)
    for stack, error in done.failed:
        click.echo(f"{stack}: {error.message}", err=True)
    if done.failed:
        raise OutsideError(
            f"{len(done.failed)} of {len(done.manifest.stacks)} stacks did not come back",
            subject="restore",
            next_command="berth server restore --from TARGET, when it is mended",
        )


def _backups(invocation: Invocation, target: str) -> "Backups":
    from berthmaster.bootstrap import build_backups

    return build_backups(invocation.settings, target)


def _back_up(invocation: Invocation, backups: "Backups") -> None:
    from berthmaster.bootstrap import build_engine_data, describe_installation
    from berthmaster.services.back_up_server import BackupIncomplete, back_up_server

    data = build_engine_data(invocation.settings)
    here = describe_installation(invocation.settings)
    try:
        done = invocation.run(lambda outside: back_up_server(outside, backups, data, here))
    except BackupIncomplete as error:
        _tell_code(backups, error.done.code)
        raise
    _tell_code(backups, done.code)
    _print_done(invocation, done)


def _print_done(invocation: Invocation, done: "BackupDone") -> None:
    manifest = done.manifest
    if invocation.is_json:
        print_json(
            {
                "backup": done.copy_id[:8],
                "stacks": manifest.stacks,
                "removed_tenants": manifest.removed,
                "databases": [f"{item.stack} {item.service}" for item in manifest.databases],
                "volumes": [item.name for item in manifest.volumes],
                "images": len(manifest.images),
                "bytes_read": done.saved.bytes_read,
                "bytes_added": done.bytes_added,
                "forgotten": done.forgotten,
                "notes": manifest.notes,
                "seconds": round(done.seconds, 2),
            }
        )
        return
    click.echo(
        f"backup {done.copy_id[:8]}: {len(manifest.stacks)} stacks, {len(manifest.databases)}"
        f" databases, {len(manifest.volumes)} volumes, {len(manifest.images)} images"
    )
    click.echo(
        f"{_size(done.saved.bytes_read)} read, {_size(done.bytes_added)} new in the target,"
        f" {done.seconds:.1f} s"
    )
    if manifest.removed:
        click.echo(f"removed tenants, each with its last backup: {', '.join(manifest.removed)}")
    for note in manifest.notes:
        click.echo(f"note: {note}")
    if done.forgotten:
        click.echo(f"removed, being beyond retention: {done.forgotten}")
    click.echo("  next: berth server backup --verify", err=True)


def _tell_code(backups: "Backups", code: str | None) -> None:
    """To the terminal only: standard output may be kept somewhere."""
    if code is None:
        return
    click.echo(
        f"\nThe escrow code of these backups, shown this once:\n\n    {code}\n\n"
        "Without it nobody can open them when this server is gone. Write it down elsewhere.\n",
        err=True,
    )
    backups.code_was_told()


def _list(invocation: Invocation, backups: "Backups") -> None:
    from berthmaster.services.verify_backup import newest_first

    found = newest_first(invocation.run(lambda _: backups.copies()))
    if invocation.is_json:
        print_json(
            {
                "backups": [
                    {"id": item.id, "taken_at": item.taken_at, "kind": item.kind} for item in found
                ]
            }
        )
    elif found:
        rows = [(item.id, f"{item.taken_at:%Y-%m-%d %H:%M} UTC", item.kind.value) for item in found]
        print_table(("BACKUP", "TAKEN", "IS"), rows)
    else:
        click.echo("there is no backup in the target yet")


def _verify(invocation: Invocation, backups: "Backups", wanted: str | None) -> None:
    from berthmaster.bootstrap import build_snapshots
    from berthmaster.services.verify_backup import verify_backup

    snapshots = build_snapshots(invocation.settings)
    done = invocation.run(lambda outside: verify_backup(outside, backups, snapshots, wanted))
    _print_verified(invocation, done)
    if done.damaged:
        raise OutsideError(
            f"backup {done.copy_id[:8]} is damaged in {len(done.damaged)} places",
            subject="backup target",
            next_command="berth server backup --to ANOTHER_TARGET, now; then look at the disk",
        )


def _print_verified(invocation: Invocation, done: "Verified") -> None:
    if invocation.is_json:
        print_json(
            {
                "backup": done.copy_id[:8],
                "whole": done.parts,
                "damaged": done.damaged,
                "seconds": round(done.seconds, 2),
            }
        )
        return
    for line in done.damaged:
        click.echo(f"damaged: {line}")
    if not done.damaged:
        click.echo(
            f"backup {done.copy_id[:8]} is sound: {len(done.parts)} parts were restored on trial,"
            f" {done.seconds:.1f} s"
        )


def _ask_code(file: Path | None) -> str:
    if file is not None and str(file) != STREAM:
        return _code_in(file)
    if file is None and sys.stdin.isatty():
        return str(click.prompt("escrow code", hide_input=True, err=True))
    code = sys.stdin.readline().strip()
    if not code:
        raise UserError(
            "the escrow code is wanted: it was printed by the first backup",
            next_command="berth server restore --from TARGET --code-file FILE",
        )
    return code


def _code_in(file: Path) -> str:
    try:
        code = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"the escrow code in {file} cannot be read: {why}") from error
    if not code:
        raise UserError(f"{file} holds no escrow code: it is empty")
    return code


def _manifest(invocation: Invocation, backups: "Backups", copy: "Copy") -> "Manifest":
    from berthmaster.services.back_up_server import read_manifest

    return invocation.run(lambda _: read_manifest(backups, copy))


def _place_settings(manifest: "Manifest") -> bool:
    """The settings file of the lost server, when this one has none; True when it was written."""
    from berthmaster.settings import settings_path

    path = settings_path()
    if manifest.settings is None or path.exists():
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(manifest.settings)
    except OSError as error:
        raise InvalidSpec(f"{path} cannot be written: {error.strerror}") from error
    click.echo(f"wrote {path}", err=True)
    return True


def _restore(
    invocation: Invocation, backups: "Backups", copy: "Copy", manifest: "Manifest"
) -> "ServerRestored":
    from berthmaster.bootstrap import build_engine_data, build_snapshots, build_units
    from berthmaster.services.restore_server import Source, restore_server

    settings = invocation.settings
    snapshots = build_snapshots(settings)
    source = Source(backups, build_engine_data(settings), snapshots, copy, manifest)
    is_fresh = not settings.store_path.exists() or invocation.run(_knows_nothing)
    units = build_units(settings)
    with contextlib.closing(invocation.progress):
        return invocation.run(
            lambda outside: restore_server(
                outside, source, units, invocation.progress, is_fresh=is_fresh
            )
        )


def _listen_as_before(invocation: Invocation) -> None:
    """Ports that were taken from somebody's proxy are in the state, which was not here before."""
    from berthmaster.services.bring_up_gateway import bring_up_gateway

    again = Invocation(invocation.folder, invocation.is_json)
    if again.settings.entrypoints != invocation.settings.entrypoints:
        again.run(bring_up_gateway)


async def _knows_nothing(outside: "Outside") -> bool:
    return not outside.store.stacks()


def _print_restored(invocation: Invocation, done: "ServerRestored") -> None:
    if invocation.is_json:
        print_json(
            {
                "of": done.manifest.server,
                "taken_at": done.manifest.taken_at,
                "stacks": [str(item) for item in done.stacks],
                "suspended": [str(item) for item in done.suspended],
                "removed_tenants": done.manifest.removed,
                "failed": {str(stack): error.message for stack, error in done.failed},
                "done": done.told,
                "seconds": round(done.seconds, 2),
            }
        )
        return
    for line in done.told:
        click.echo(line)
    for stack in done.stacks:
        click.echo(f"{stack} {'is suspended, as it was' if stack in done.suspended else 'serves'}")
    for name in done.manifest.removed:
        click.echo(f"{name} is removed, and can be restored: berth tenant restore {name}")
    click.echo(
        f"{len(done.stacks)} stacks of {done.manifest.server} are as they were at"
        f" {done.manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC, {done.seconds:.1f} s"
    )
    click.echo("  next: point the names at this server, then berth status", err=True)


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
