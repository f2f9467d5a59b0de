"""Named places where a test can stop the engine: before, after-unrecorded and after each effect.

`BERTHMASTER_FAILPOINT=StartServices:after_unrecorded` kills the process there (as `kill -9` would);
`7:before` names a step by its number, `undo:` in front means the undo, `!` at the end raises
instead.
"""

import os
import signal
from dataclasses import dataclass
from typing import Final

from berthmaster.domain.errors import OutsideError
from berthmaster.domain.plan import Action

POINTS: Final = ("before", "after_unrecorded", "after")


class Killed(BaseException):
    """Stands for `kill -9` where a test cannot kill its own process."""


@dataclass(frozen=True, slots=True)
class Failpoint:
    """Where to stop and how: `kill` the process, `raise` Killed, or `fail` the effect."""

    target: str  # action type or step number
    point: str
    is_undo: bool = False
    how: str = "kill"

    def hit(self, step: int, action: Action, point: str, *, is_undo: bool) -> None:
        """Stop when this is the place."""
        if point != self.point or is_undo != self.is_undo:
            return
        if self.target not in (str(step), type(action).__name__, "*"):
            return
        if self.how == "fail":
            raise OutsideError("stopped by a failpoint", subject=type(action).__name__)
        if self.how == "raise":
            raise Killed(f"{step}:{point}")
        os.kill(os.getpid(), signal.SIGKILL)


def failpoint_from_environment() -> Failpoint | None:
    """Read `BERTHMASTER_FAILPOINT`; None when it is not set."""
    text = os.environ.get("BERTHMASTER_FAILPOINT", "")
    if not text:
        return None
    how = "fail" if text.endswith("!") else "kill"
    is_undo = text.startswith("undo:")
    target, _, point = text.removeprefix("undo:").rstrip("!").rpartition(":")
    return Failpoint(target, point, is_undo, how)
