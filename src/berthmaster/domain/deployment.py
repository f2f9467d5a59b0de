"""Deployments, their states, the journal's rows, leases.

The table of transitions is the one place that says what may follow what; the store's guarded
update and the diagram in the docs come from it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from berthmaster.domain.errors import Bug
from berthmaster.domain.names import StackId

if TYPE_CHECKING:
    from berthmaster.domain.plan import Plan  # a hundredth of a second, for commands without one


class DeploymentState(StrEnum):
    """Where one attempt stands."""

    PLANNED = "planned"
    APPLYING = "applying"
    UNWINDING = "unwinding"
    RETIRING = "retiring"  # past the point of no return: only forward
    SUCCEEDED = "succeeded"
    UNWOUND = "unwound"  # the old release serves
    FAILED = "failed"  # the old release could not be kept
    STUCK = "stuck"  # an undo failed; a person is needed


_S = DeploymentState
TRANSITIONS: Final = frozenset(
    {
        (_S.PLANNED, _S.APPLYING),  # the lease is ours
        (_S.PLANNED, _S.UNWINDING),  # it was killed before its first step
        (_S.APPLYING, _S.UNWINDING),  # a step failed, or somebody asked
        (_S.APPLYING, _S.RETIRING),  # the watch is over
        (_S.RETIRING, _S.SUCCEEDED),
        (_S.RETIRING, _S.STUCK),
        (_S.UNWINDING, _S.UNWOUND),
        (_S.UNWINDING, _S.FAILED),
        (_S.UNWINDING, _S.STUCK),
        (_S.STUCK, _S.UNWINDING),  # an operator asked for another try
        (_S.STUCK, _S.RETIRING),
    }
)
# Verbs whose deployments bring a new release out.
RELEASING: Final = frozenset({"deploy", "promote", "rehearse", "ship"})
TERMINAL: Final = frozenset({_S.SUCCEEDED, _S.UNWOUND, _S.FAILED})


def check_transition(old: DeploymentState, new: DeploymentState) -> None:
    """Raise `Bug` for a change that the table does not allow."""
    if (old, new) not in TRANSITIONS:
        raise Bug(f"a deployment cannot go from {old} to {new}")


class StepState(StrEnum):
    """A row of the journal."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNDO_STARTED = "undo_started"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"


@dataclass(frozen=True, slots=True)
class JournalRow:
    deployment_id: int
    step: int
    state: StepState
    at: datetime
    detail: str = ""  # error, or what the step found


@dataclass(frozen=True, slots=True)
class Deployment:
    """One attempt: `d41`."""

    id: int
    stack: StackId
    release: int | None  # None for work that makes no release: destroy, maintenance
    verb: str  # deploy, promote, rollback, destroy, maintenance, state
    plan: "Plan"
    state: DeploymentState
    started_at: datetime
    ended_at: datetime | None = None
    actor: str = ""
    error: str = ""  # the report, for people

    @property
    def label(self) -> str:
        """How people name it."""
        return f"d{self.id}"


@dataclass(frozen=True, slots=True)
class Lease:
    """The exclusive, expiring right to change one thing; `fence` grows with each grant."""

    name: str  # the stack, or `server`
    holder: str  # user@host pid command
    fence: int
    acquired_at: datetime
    expires_at: datetime
    step: str | None = None
