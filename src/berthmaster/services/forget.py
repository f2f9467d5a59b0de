"""Retention: what no kept release needs any more goes; nothing that is not ours is touched.

Kept are the live release, warm ones, the newest `retention.releases` that served and every record
that a state service runs by; of the refused ones the newest few, for their reports. Images go only
when no kept release runs them.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Final

from berthmaster.domain.errors import OutsideError
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.planner.state import state_part
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import ReleaseSummary
from berthmaster.services.deploy import give_back
from berthmaster.services.trouble import Troubles

KEPT_REFUSED: Final = 5


async def forget_old(
    outside: Outside, stacks: Iterable[StackId], troubles: Troubles | None = None
) -> tuple[str, ...]:
    """Remove records, images and restore points of stacks beyond retention; says what it did.

    What is still needed is read once, after the last record is gone: every record is read for it.
    """
    gone, told, noted = list[Release](), list[str](), troubles or Troubles()
    for stack in stacks:
        with noted.noted():
            told += _forget_of(outside, stack, gone)
    if gone:
        with noted.noted():
            await _remove_unused(outside, gone)
    if troubles is None:
        noted.raise_first()
    return tuple(told)


def _forget_of(outside: Outside, stack: StackId, gone: list[Release]) -> Iterator[str]:
    retention = outside.store.retention(stack)
    if retention is None:
        return
    for item in _beyond(outside.store.releases(stack), retention.releases):
        release = outside.store.release(stack, item.number)
        if release is None or _is_only_state(outside, stack, item):
            continue
        # Addresses before the record: killed in between, the next run finds the record again.
        give_back(outside, stack, item.number)
        _remove_record(outside, stack, release)
        gone.append(release)
        yield f"{stack}: the record of r{item.number} is beyond retention; it is removed"
    for name in outside.files.prune_dumps(stack.project, retention.restore_points):
        yield f"{stack}: the restore point {name} is beyond retention; it is removed"


def _needed_by_state(outside: Outside, stack: StackId, number: int) -> frozenset[str]:
    applied = outside.store.applied_states(stack).items()
    return frozenset(name for name, release in applied if release == number)


def _is_only_state(outside: Outside, stack: StackId, item: ReleaseSummary) -> bool:
    """Whether nothing is left of it but what a state service runs by."""
    is_needed = bool(_needed_by_state(outside, stack, item.number))
    return is_needed and item.state is ReleaseState.STATE


def _remove_record(outside: Outside, stack: StackId, release: Release) -> None:
    """Remove a record, or all of it that no state service runs by."""
    needed = _needed_by_state(outside, stack, release.number)
    if needed:
        outside.store.keep_state_only(state_part(release, needed))
    else:
        outside.store.remove_release(stack, release.number)


def _beyond(summaries: tuple[ReleaseSummary, ...], kept: int) -> list[ReleaseSummary]:
    served = [item for item in summaries if item.state is ReleaseState.RETIRED]
    refused = [item for item in summaries if item.state is ReleaseState.FAILED]
    replaced = [item for item in summaries if item.state is ReleaseState.STATE]
    return [*served[kept:], *refused[KEPT_REFUSED:], *replaced]


async def _remove_unused(outside: Outside, gone: Iterable[Release]) -> None:
    """Images and files that no record needs any more."""
    images, digests = set[str](), set[str]()
    for record in outside.store.release_records():
        images |= _images_of(record)
        digests |= {file.digest for file in record.files}
    unused = frozenset[str]().union(*map(_images_of, gone)) - images
    for runs_as in sorted(name for name in unused if "@" in name):
        # Best effort: the engine keeps what any container uses, and a leftover harms nobody.
        with contextlib.suppress(OutsideError):
            await outside.runtime.remove_image(runs_as)
    outside.files.forget_content(outside.files.unused_content(digests))


def _images_of(release: Release) -> frozenset[str]:
    return frozenset(item.image.runs_as for item in release.services if item.image)
