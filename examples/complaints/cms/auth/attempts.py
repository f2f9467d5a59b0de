"""How often a password may be tried: 10 times in 5 minutes for each address. One process, so memory is enough."""

import threading
import time
from collections import OrderedDict
from typing import Final

ALLOWED: Final = 10
SECONDS: Final = 300.0
REMEMBERED: Final = 5000


class Attempts:
    """Failures of late, by address."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_seconds(self, who: str, now: float | None = None) -> int:
        """How long this address must wait; 0 when it may try."""
        now = time.monotonic() if now is None else now
        with self._lock:
            recent = [at for at in self._failures.get(who, []) if now - at < SECONDS]
            return 0 if len(recent) < ALLOWED else int(SECONDS - (now - recent[0])) + 1

    def failed(self, who: str, now: float | None = None) -> None:
        """Remember a failure, and forget whoever failed longest ago when there are too many."""
        now = time.monotonic() if now is None else now
        with self._lock:
            self._failures[who] = [*self._failures.pop(who, []), now][-ALLOWED:]
            if len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)
