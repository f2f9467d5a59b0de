"""Retention: what no kept release needs any more goes; nothing that is not ours is touched.

Kept are the live release, warm ones, the newest `retention.releases` that served and every record
that a state service runs by; of the refused ones the newest few, for their reports. Images go only
when no kept release runs them.
"""

from typing import Final

from berthmaster.domain.errors import OutsideError
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.planner.state import state_part
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import ReleaseSummary
from berthmaster.services.deploy import give_back

KEPT_REFUSED: Final = 5


async def forget_old(outside: Outside, stack: StackId) -> tuple[str, ...]:
    """Remove records, images and restore points of a stack beyond retention; says what it did."""
    retention = outside.store.retention(stack)
    if retention is None:
        return ()
    told = []
    for item in _beyond(outside.store.releases(stack), retention.releases):
        release = outside.store.release(stack, item.number)
        if release is None or _is_only_state(outside, stack, item):
            continue
        # Addresses before the record: killed in between, the next run finds the record again.
        give_back(outside, stack, item.number)
        _remove_record(outside, stack, release)
        told.append(f"{stack}: the record of r{item.number} is beyond retention; it is removed")
        await _remove_images(outside, release)
    if told:
        _forget_content(outside)
    points = outside.files.prune_dumps(stack.project, retention.restore_points)
    told += [
        f"{stack}: the restore point {name} is beyond retention; it is removed" for name in points
    ]
    return tuple(told)


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


async def _remove_images(outside: Outside, release: Release) -> None:
    """Best effort: the engine keeps what any container uses, and a leftover harms nobody."""
    kept = {
        item.image.runs_as
        for other in outside.store.release_records()
        for item in other.services
        if item.image
    }
    own = {item.image.runs_as for item in release.services if item.image}
    for runs_as in sorted(name for name in own - kept if "@" in name):
        try:
            await outside.runtime.remove_image(runs_as)
        except OutsideError:
            continue


def _forget_content(outside: Outside) -> None:
    kept = {file.digest for item in outside.store.release_records() for file in item.files}
    outside.files.forget_content(outside.files.unused_content(kept))
