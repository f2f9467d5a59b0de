"""`berth server restore-store`: put a copy in the place of a damaged store, and make peace with
what runs.

The copy may be older than what runs: releases that it does not know keep their numbers taken, go
when the recorded release runs, and stay, routes and all, when it does not. Removes no data.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from berthmaster.domain.container import LABEL_RELEASE, LABEL_STACK, Container
from berthmaster.domain.errors import InvalidName, NotAllowed, NotFound, OutsideError
from berthmaster.domain.names import StackId, parse_stack
from berthmaster.domain.release import Release
from berthmaster.domain.spec import Role
from berthmaster.engine.lease import hold
from berthmaster.ports.outside import Outside
from berthmaster.ports.snapshots import Snapshots
from berthmaster.ports.store import Event
from berthmaster.services.bring_up_gateway import SERVER_LEASE
from berthmaster.services.route_table import wanted_table

STOP_SECONDS: Final = 10.0
_NUMBER: Final = re.compile(r"[0-9]{1,9}\Z")


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back and what came of it."""

    source: Path
    set_aside: Path | None
    told: tuple[str, ...]


async def restore_store(
    outside: Outside, snapshots: Snapshots, source: Path | None, *, is_forced: bool = False
) -> Restored:
    """Restore `source`, or the newest sound copy; a sound store is replaced only when forced.

    Raises `NotFound` without a sound copy, `NotAllowed` while another command has the store open.
    """
    if not is_forced and not snapshots.problems():
        raise NotAllowed(
            "the store is sound: nothing needs to be restored",
            next_command="berth server restore-store --force, to return to an older one",
        )
    if users := snapshots.users():
        raise NotAllowed(
            f"the store is in use by {'process' if len(users) == 1 else 'processes'}"
            f" {', '.join(map(str, users))}: a restored one would miss what they write",
            next_command="wait for them or end them, then the same again",
        )
    chosen = _chosen(snapshots, source)
    set_aside = snapshots.restore(chosen)
    told = await _reconcile(outside)
    outside.store.record(
        Event(outside.clock.now(), outside.actor, None, "store_restored", chosen.name)
    )
    return Restored(chosen, set_aside, told)


def _chosen(snapshots: Snapshots, source: Path | None) -> Path:
    if source is not None:
        if problems := snapshots.problems(source):
            raise NotFound(f"{source} is no sound copy of a store: {problems[0]}")
        return source
    for item in snapshots.kept():
        if not snapshots.problems(item.path):
            return item.path
    raise NotFound(
        "there is no sound snapshot of the store",
        next_command="berth server restore-store --from FILE, with a copy of your own",
    )


async def _reconcile(outside: Outside) -> tuple[str, ...]:
    """Everything that follows; what cannot be asked now is left to a person, who is told."""
    told: list[str] = []
    _end_leases(outside)
    async with hold(outside.store, SERVER_LEASE, what="berth server restore-store"):
        try:
            unknown = await _unknown_releases(outside)
        except OutsideError as error:
            return (f"what runs could not be compared: {error.message}",)
        ahead = {stack for stack in unknown if not await _is_whole(outside, stack)}
        await _renew_table(outside, ahead, told)
        for stack, numbers in unknown.items():
            _take_numbers(outside, stack, max(numbers))
            for number in sorted(numbers):
                if stack in ahead:
                    told.append(_stays(outside, stack, number))
                else:
                    await _remove(outside, stack, number)
                    told.append(f"{stack}: r{number} is not in this snapshot; it was removed")
            if stack not in ahead:
                await _start_stopped(outside, stack)
    return tuple(told)


def _end_leases(outside: Outside) -> None:
    """A copy is made under a lease; nobody had the store open when it was put back."""
    names = [str(item.id) for item in outside.store.stacks()]
    for name in (*names, SERVER_LEASE):
        lease = outside.store.lease(name) or outside.store.acquire_lease(
            name, holder="restore-store", seconds=1.0
        )
        outside.store.release_lease(lease)


async def _unknown_releases(outside: Outside) -> Mapping[StackId, set[int]]:
    """Numbers of releases that have containers or networks, and no record."""
    containers, networks = await outside.runtime.containers({}), await outside.runtime.networks()
    found = dict[StackId, set[int]]()
    for labels in [item.labels for item in containers] + [item.labels for item in networks]:
        number = labels.get(LABEL_RELEASE, "")
        stack = _stack_or_none(labels.get(LABEL_STACK, ""))
        if stack is None or not _NUMBER.match(number) or outside.store.stack(stack) is None:
            continue
        if outside.store.release(stack, int(number)) is None:
            found.setdefault(stack, set()).add(int(number))
    return found


def _stack_or_none(text: str) -> StackId | None:
    try:
        return parse_stack(text) if "@" in text else None
    except InvalidName:
        return None


async def _is_whole(outside: Outside, stack: StackId) -> bool:
    """Whether the recorded release answers, and what takes work beside it is at least there."""
    live = _live(outside, stack)
    if live is None:
        return False
    found = await outside.runtime.containers({LABEL_STACK: str(stack)})
    running = {item.name for item in found if item.is_running}
    is_answering = running.issuperset(_names(live, Role.ROUTED))
    return is_answering and {item.name for item in found}.issuperset(_workers(live))


async def _start_stopped(outside: Outside, stack: StackId) -> None:
    """A deployment that the copy does not know may have stopped them for its own."""
    live = _live(outside, stack)
    for name in _workers(live) if live else ():
        await outside.runtime.start(name)


def _live(outside: Outside, stack: StackId) -> Release | None:
    record = outside.store.stack(stack)
    return outside.store.release(stack, record.live) if record and record.live is not None else None


def _workers(release: Release) -> tuple[str, ...]:
    return _names(release, Role.CONSUMER, Role.SINGLE)


def _names(release: Release, *roles: Role) -> tuple[str, ...]:
    return tuple(name for item in release.with_role(*roles) for name in item.containers)


async def _renew_table(outside: Outside, ahead: set[StackId], told: list[str]) -> None:
    """Also forgets the router's fences: numbers of leases begin again where the copy has them."""
    try:
        found = await outside.router.table()
        kept = frozenset(stack.project for stack in ahead)
        await outside.router.replace_table(wanted_table(outside, found, kept))
    except OutsideError as error:
        told.append(f"the router's table is as it was: {error.message}; berth gateway up")


def _take_numbers(outside: Outside, stack: StackId, highest: int) -> None:
    while outside.store.next_release_number(stack) < highest:
        pass


def _stays(outside: Outside, stack: StackId, number: int) -> str:
    record = outside.store.stack(stack)
    live = f"r{record.live}" if record and record.live is not None else "no release"
    return (
        f"{stack}: r{number} runs and is not in this snapshot, which says {live}, and that does not"
        f" run: it stays. Deploy again: berth deploy {stack} --force"
    )


async def _remove(outside: Outside, stack: StackId, number: int) -> None:
    labels = {LABEL_STACK: str(stack), LABEL_RELEASE: str(number)}
    for item in await outside.runtime.containers(labels):
        await _stop_and_remove(outside, item)
    for network in await outside.runtime.networks(labels):
        await outside.runtime.remove_network(network.name)
    outside.files.remove(stack.project, number)


async def _stop_and_remove(outside: Outside, container: Container) -> None:
    if container.is_running:
        await outside.runtime.stop(container.name, STOP_SECONDS)
    await outside.runtime.remove(container.name)
