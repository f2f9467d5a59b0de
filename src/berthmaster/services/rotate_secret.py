"""`berth secrets rotate`: a new value and a new release that has it; a rollback brings the old one.

The release runs the very artifact that is live: rotating brings in no other change. When it is
refused the old value lies in its file again. PostgreSQL's own password is set by the deployment.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from berthmaster.domain.errors import BerthmasterError, LeaseHeld, NotAllowed
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.domain.sealed import SealedValues
from berthmaster.domain.secret import SecretKind
from berthmaster.domain.spec import Role
from berthmaster.planner.logins import PASSWORD, login_file, logins_of
from berthmaster.planner.secretkinds import partner_of
from berthmaster.planner.secretrules import Held
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome, refuse_unfinished
from berthmaster.services.deploy import Unchanged, deploy
from berthmaster.services.give_secrets import (
    find_secret,
    make_secret,
    refuse_bad,
    refuse_env_file,
)
from berthmaster.services.identify_artifact import refuse_changed_inputs
from berthmaster.services.read_secrets import Inventory, read_secrets
from berthmaster.services.render_model import ReleaseRequest


@dataclass(frozen=True, slots=True)
class Rotated:
    """The names that have new values, and the deployment; None when nothing was deployed."""

    names: tuple[str, ...]
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was asked for."""

    stack: StackId
    folder: Path
    name: str
    value: bytes | None = None  # None: a new one is made
    is_only_written: bool = False  # the next deploy applies it


async def rotate_secret(outside: Outside, wanted: Rotation, progress: Progress) -> Rotated:
    """Write a new value and deploy the live artifact with it.

    Raises `NotAllowed`, before anything is written, for what only a person can give, for a folder
    that is not what runs, and for state services that keep the value themselves.
    """
    inventory = read_secrets(outside, wanted.folder, wanted.stack.environment, wanted.stack.tenant)
    held = _main_half(inventory, find_secret(inventory, wanted.name))
    refuse_env_file(inventory, held)
    if wanted.value is not None:
        refuse_bad(inventory, held, wanted.value)
    elif held.wanted.kind in (None, SecretKind.GIVEN):
        raise NotAllowed(
            f"{held.name}: nobody but its issuer can make a new value",
            next_command=f"berth secrets rotate {wanted.stack} {held.name} --given",
        )
    live = None if wanted.is_only_written else _live(outside, wanted.stack)
    request = _request(wanted, live) if live else None
    if live and request:
        _refuse_other_files(outside, request, live)
        _refuse_keepers(outside, live, inventory, held)
        refuse_unfinished(outside, wanted.stack)
    before = _contents(outside, inventory, held)
    names = _write(outside, inventory, held, wanted.value)
    if request is None:
        return Rotated(names, None)
    try:
        done = await deploy(outside, request, progress, is_forced=True)
    except (BerthmasterError, asyncio.CancelledError) as error:
        if isinstance(error, LeaseHeld) or _is_over(outside, wanted.stack, live):
            _put_back(outside, before)
        raise
    return Rotated(names, None if isinstance(done, Unchanged) else done)


def _main_half(inventory: Inventory, held: Held) -> Held:
    """Of a pair, the half that makes both."""
    main = inventory.find(held.wanted.made_with or "")
    return main or held


def _live(outside: Outside, stack: StackId) -> Release | None:
    record = outside.store.stack(stack)
    return outside.store.release(stack, record.live) if record and record.live is not None else None


def _request(wanted: Rotation, live: Release) -> ReleaseRequest:
    return ReleaseRequest(
        wanted.stack,
        wanted.folder,
        live.tag,
        live.images,
        command=f"berth secrets rotate {wanted.name}",
        verified=live,
    )


def _refuse_other_files(outside: Outside, request: ReleaseRequest, live: Release) -> None:
    try:
        refuse_changed_inputs(outside, request)
    except NotAllowed as error:
        tag = f" --tag {live.tag}" if live.tag else ""
        raise NotAllowed(
            f"{error.message}. Rotating a secret brings in nothing else; nothing was written",
            next_command=f"berth deploy {request.stack}{tag}, then rotate again",
        ) from error


def _refuse_keepers(outside: Outside, live: Release, inventory: Inventory, held: Held) -> None:
    """State services that read the value at their start only, or keep it in their data."""
    sealed = SealedValues.from_bytes(outside.vault.open(live.sealed))
    other = inventory.find(partner_of(held.wanted) or "")
    readers = {*held.wanted.need.services, *(other.wanted.need.services if other else ())}
    for service in live.with_role(Role.STATE):
        if service.name in readers and not _is_login(live, sealed, service.name, held):
            stack, name = live.stack, service.name
            raise NotAllowed(
                f"{name} is a state service and reads {held.name}: it must start again with the"
                " new value, and until then it and the app do not agree. Nothing was written",
                next_command=f"berth secrets rotate {stack} {held.name} --write-only, then "
                f"berth maintenance on {stack}, berth deploy {stack} --state {name}, "
                f"berth deploy {stack}, berth maintenance off {stack}",
            )


def _is_login(live: Release, sealed: SealedValues, service: str, held: Held) -> bool:
    """Whether a database has it as its own password, which a deployment can set."""
    if service not in logins_of(live, sealed):
        return False
    need = held.wanted.need
    if need.is_variable and not need.is_named_secret:
        uses = {use for use in need.uses if use.startswith(f"{service}.")}
        return uses == {f"{service}.environment.{PASSWORD}"}
    target = login_file(live, sealed, service)
    return target is not None and target.rpartition("/")[2] == need.name


def _contents(outside: Outside, inventory: Inventory, held: Held) -> dict[Path, bytes | None]:
    names = [held.name, *filter(None, [partner_of(held.wanted)])]
    paths = [inventory.path_of(name) for name in names]
    files = outside.secret_files
    return {path: files.read(path) if files.look(path) else None for path in paths}


def _write(
    outside: Outside, inventory: Inventory, held: Held, value: bytes | None
) -> tuple[str, ...]:
    if value is None:
        return make_secret(outside, inventory, held.wanted)
    outside.secret_files.write(inventory.path_of(held.name), value)
    return (held.name,)


def _is_over(outside: Outside, stack: StackId, live: Release | None) -> bool:
    """Whether the old release serves and nobody still has to decide."""
    record = outside.store.stack(stack)
    is_as_before = record is not None and live is not None and record.live == live.number
    return is_as_before and all(item.stack != stack for item in outside.store.unfinished())


def _put_back(outside: Outside, before: dict[Path, bytes | None]) -> None:
    for path, content in before.items():
        if content is None:
            outside.secret_files.remove(path)
        else:
            outside.secret_files.write(path, content)
