"""Named places where a test can stop the engine: before, after-unrecorded and after each effect.

`BERTHMASTER_FAILPOINT=StartServices:after_unrecorded` kills the process there (as `kill -9` would);
`7:before` names a step by its number, `undo:` in front means the undo, `!` at the end raises
instead. `@int`, `@term` and `@hup` at the end send that signal and go on, as Ctrl-C, a service
manager and a lost terminal would; `@stop` freezes the process until it gets CONT. The fourth
point, `during`, is a while into an effect that lasts.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from berthmaster.domain.errors import OutsideError
from berthmaster.domain.plan import Action

POINTS: Final = ("before", "after_unrecorded", "after")
DURING: Final = "during"
DURING_SECONDS: Final = 0.3  # an effect that ends sooner is not hit
SIGNALS: Final = {
    name: signal.Signals[f"SIG{name.upper()}"] for name in ("kill", "int", "term", "hup", "stop")
}


class Killed(BaseException):
    """Stands for `kill -9` where a test cannot kill its own process."""


@dataclass(frozen=True, slots=True)
class Failpoint:
    """Where to stop and how: send a signal of `SIGNALS`, `raise` Killed, or `fail` the effect."""

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
        signal.raise_signal(SIGNALS[self.how])  # to this thread: it has arrived when this returns

    @contextlib.contextmanager
    def during(self, step: int, action: Action, *, is_undo: bool) -> Iterator[None]:
        """Stop in the middle of the block, when this is the place and the block lasts."""
        if self.point != DURING:
            yield
            return
        loop = asyncio.get_running_loop()
        later = loop.call_later(
            DURING_SECONDS, lambda: self.hit(step, action, DURING, is_undo=is_undo)
        )
        try:
            yield
        finally:
            later.cancel()


def failpoint_from_environment() -> Failpoint | None:
    """Read `BERTHMASTER_FAILPOINT`; None when it is not set."""
    text = os.environ.get("BERTHMASTER_FAILPOINT", "")
    if not text:
        return None
    place, _, name = text.partition("@")
    how = "fail" if text.endswith("!") else name or "kill"
    is_undo = place.startswith("undo:")
    target, _, point = place.removeprefix("undo:").rstrip("!").rpartition(":")
    return Failpoint(target, point, is_undo, how)
