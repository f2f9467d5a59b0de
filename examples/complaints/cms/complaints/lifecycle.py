"""What may happen to a complaint, and when."""

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where a complaint is."""

    FILED = "filed"  # nobody has it yet
    ASSIGNED = "assigned"
    RESOLVED = "resolved"
    REOPENED = "reopened"  # the resolution was none


class Event(StrEnum):
    """What is written into its history."""

    FILED = "filed"
    NOTED = "noted"
    ASSIGNED = "assigned"
    RESOLVED = "resolved"
    REOPENED = "reopened"


_S, _E = Status, Event

TRANSITIONS: Final[dict[tuple[Status, Event], Status]] = {
    (_S.FILED, _E.ASSIGNED): _S.ASSIGNED,
    (_S.ASSIGNED, _E.ASSIGNED): _S.ASSIGNED,  # handed to somebody else
    (_S.REOPENED, _E.ASSIGNED): _S.ASSIGNED,
    (_S.ASSIGNED, _E.RESOLVED): _S.RESOLVED,
    (_S.RESOLVED, _E.REOPENED): _S.REOPENED,
}


def sources(event: Event) -> list[Status]:
    """The states in which it may happen."""
    return [state for state, found in TRANSITIONS if found is event]


def target(event: Event) -> Status:
    """The state that it leads to."""
    return next(new for (_, found), new in TRANSITIONS.items() if found is event)
