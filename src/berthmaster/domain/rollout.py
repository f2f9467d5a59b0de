"""A new tag for all tenants of an environment: in waves, stopped by a budget of failures.

The states are rows in the store, so that a rollout that was killed is continued, not guessed at.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from berthmaster.domain.names import StackId


class RolloutState(StrEnum):
    """Where a rollout is."""

    RUNNING = "running"  # or was killed: nobody holds its lease then
    PAUSED = "paused"  # a person asked for it
    STOPPED = "stopped"  # more tenants failed than the budget allows
    DONE = "done"
    RETURNING = "returning"  # back to what ran before
    RETURNED = "returned"
    REPLACED = "replaced"  # another rollout began


class LineState(StrEnum):
    """Where one tenant is in a rollout."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # its old release serves, unless the line names a new one
    SKIPPED = "skipped"  # pinned, suspended, removed, or without a release
    BACK = "back"


@dataclass(frozen=True, slots=True)
class RolloutLine:
    """One tenant of a rollout."""

    stack: StackId
    wave: int  # 0: the canaries
    state: LineState = LineState.PENDING
    old: int | None = None  # release that it ran
    new: int | None = None
    note: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether it runs what this rollout brought: one may fail after the switch."""
        is_failed_late = self.state is LineState.FAILED and self.new is not None
        return self.state is LineState.DONE or is_failed_late


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout as it was asked for, with its lines in order."""

    id: int
    app: str
    environment: str
    tag: str
    state: RolloutState
    at_once: int
    budget: int  # tenants that may fail
    started_at: datetime
    started_by: str
    lines: tuple[RolloutLine, ...] = ()

    @property
    def name(self) -> str:
        """Whose lease it holds, and how people know it."""
        return f"rollout {self.app}@{self.environment}"

    def count(self, *states: LineState) -> int:
        """How many tenants are in one of these states."""
        return sum(line.state in states for line in self.lines)

    @property
    def is_over_budget(self) -> bool:
        """Whether more failed than may."""
        return self.count(LineState.FAILED) > self.budget
