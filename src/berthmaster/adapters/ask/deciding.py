"""The decision about a name: table, then the app, then the budget; with a memory of answers."""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from berthmaster.adapters.ask.budget import Budget
from berthmaster.adapters.ask.table import AppQuestion, Known, Table

KNOWN_SECONDS: Final = 300.0  # how long an app's yes counts
UNKNOWN_SECONDS: Final = 60.0  # and its no
STALE_SECONDS: Final = 24 * 3600.0  # how long a yes counts while the app does not answer
REMEMBERED: Final = 10_000
QUESTIONS_A_SECOND: Final = 20.0  # that one app is asked; strangers make up names
QUESTIONS_AT_ONCE: Final = 40.0

AskApp = Callable[[AppQuestion, str], Awaitable[bool | None]]


@dataclass(frozen=True)
class Decision:
    """May the name have a certificate, and why."""

    is_allowed: bool
    reason: str


@dataclass
class _Bucket:
    """A rate: so many tokens at once, refilled at a constant speed."""

    tokens: float = QUESTIONS_AT_ONCE
    at: float = 0.0

    def take(self, now: float) -> bool:
        self.tokens = min(QUESTIONS_AT_ONCE, self.tokens + (now - self.at) * QUESTIONS_A_SECOND)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass
class Decider:
    """Decides; `has_certificate` is asked first, because what is there needs no order."""

    table: Table
    budget: Budget
    has_certificate: Callable[[str], bool]
    ask_app: AskApp
    clock: Callable[[], float] = time.time
    counts: "Counter[str]" = field(default_factory=Counter)
    _answers: "OrderedDict[str, tuple[bool, float]]" = field(default_factory=OrderedDict)
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _asking: "dict[str, asyncio.Task[bool | None]]" = field(default_factory=dict)

    async def decide(self, name: str) -> Decision:
        """Yes or no for one name in lower case; never raises."""
        found = self._known(name)
        if isinstance(found, Known):
            found = await self._by_app(found, name) if found.app else self._by_budget(name, found)
        self.counts[found.reason.partition(":")[0]] += 1
        return found

    def decide_now(self, name: str) -> Decision | None:
        """The decision when nobody has to be asked for it: nearly always."""
        found = self._known(name)
        if isinstance(found, Known):
            if found.app is not None:
                return None
            found = self._by_budget(name, found)
        self.counts[found.reason.partition(":")[0]] += 1
        return found

    def _known(self, name: str) -> Known | Decision:
        known = self.table.find(name)
        if not self.table.is_read:
            return Decision(False, "no table yet")
        return known or Decision(False, "unknown")

    async def _by_app(self, known: Known, name: str) -> Decision:
        assert known.app is not None  # noqa: S101 - the caller looked
        now = self.clock()
        said, at = self._answers.get(name, (False, 0.0))
        if now - at < (KNOWN_SECONDS if said else UNKNOWN_SECONDS):
            return self._by_budget(name, known) if said else Decision(False, "unknown to the app")
        answer = await self._question(known.stack, known.app, name, now)
        if answer is None:
            if said and now - at < STALE_SECONDS:
                return self._by_budget(name, known)
            return Decision(False, "the app did not answer")
        self._remember(name, answer, now)
        return self._by_budget(name, known) if answer else Decision(False, "unknown to the app")

    async def _question(self, stack: str, app: AppQuestion, name: str, now: float) -> bool | None:
        """One question for all who ask at the same time."""
        running = self._asking.get(name)
        if running is None:
            if not self._buckets.setdefault(stack, _Bucket(at=now)).take(now):
                self.counts["apps spared"] += 1
                return None
            running = asyncio.ensure_future(self.ask_app(app, name))
            self._asking[name] = running
            running.add_done_callback(lambda _: self._asking.pop(name, None))
        return await asyncio.shield(running)

    def _remember(self, name: str, answer: bool, now: float) -> None:
        self._answers[name] = (answer, now)
        self._answers.move_to_end(name)
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)

    def _by_budget(self, name: str, known: Known) -> Decision:
        now = self.clock()
        if self.has_certificate(name):
            return Decision(True, "known")
        if self.budget.is_pending(name, now):
            return Decision(True, "being ordered")
        is_strange = known.is_by_suffix and known.app is None
        why = self.budget.refusal(name, now, is_strange=is_strange)
        if why:
            return Decision(False, f"budget: {why}")
        try:
            self.budget.place(name, now, is_strange=is_strange)
        except OSError as error:  # a full disk; what has a certificate is served all the same
            return Decision(False, f"budget: the order cannot be counted ({error.strerror})")
        return Decision(True, "new order")
