"""What could not be done for one stack while housekeeping went on with the others.

Nothing is lost: whatever failed is tried again by the next `berth tick`. What concerns every stack,
an engine that does not answer, ends the round at once.
"""

import contextlib
from collections.abc import Iterable, Iterator

from berthmaster.domain.errors import (
    BerthmasterError,
    Bug,
    Interrupted,
    LeaseHeld,
    RuntimeUnavailable,
)
from berthmaster.ports.progress import Progress


class Troubles:
    """The errors of one round of housekeeping, in their order."""

    def __init__(self) -> None:
        self.errors: list[BerthmasterError] = []

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note what the block raises; a stack that somebody else changes is no trouble."""
        try:
            yield
        except LeaseHeld:
            pass
        except (Interrupted, RuntimeUnavailable):
            raise
        except BerthmasterError as error:
            self.errors.append(error)

    def raise_first(self, told: Iterable[str] = (), progress: Progress | None = None) -> None:
        """Raise the first one, a bug before others, after telling what was done all the same."""
        if not self.errors:
            return
        first = next((error for error in self.errors if isinstance(error, Bug)), self.errors[0])
        others = (error.message for error in self.errors if error is not first)
        for line in (*told, *others):
            if progress is not None:
                progress.note(line)
        raise first
