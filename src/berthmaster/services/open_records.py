"""Whether the secrets of recorded releases can still be opened; asked before anything is changed.

Without this a lost key file would be made anew by the next deploy, and no release from before could
ever run again.
"""

from berthmaster.domain.errors import OutsideError
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.ports.outside import Outside


def refuse_unreadable(outside: Outside, stack: StackId) -> None:
    """Raise `OutsideError` when the key does not open what is recorded here; opens one record.

    The stack's own live release is asked, else one of a neighbour: all have the same key.
    """
    record = _one_record(outside, stack)
    if record is None:
        return
    try:
        outside.vault.open(record.sealed)
    except OutsideError as error:
        raise OutsideError(
            f"the secrets of {record.stack} {record.label} cannot be opened: {error.message}."
            " Nothing was changed, and what runs goes on",
            subject=error.subject,
            next_command=error.next_command,
        ) from error


def _one_record(outside: Outside, stack: StackId) -> Release | None:
    store = outside.store
    known = store.stack(stack)
    if known is not None and known.live is not None:
        return store.release(stack, known.live)
    for summary in store.releases_in(ReleaseState.LIVE)[:1]:
        return store.release(summary.stack, summary.number)
    return None
