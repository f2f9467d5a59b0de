"""What was said of an artifact or a stack: verified, rejected, approved, held.

Append-only, newest first: a later word of the same kind replaces an earlier one. The functions are
pure and read a stack's or an app's judgements; who may act on them is decided in
`services/permit.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from berthmaster.domain.names import StackId


class JudgementKind(StrEnum):
    """What was said."""

    VERIFIED = "verified"  # deployed there, watched to the end, every smoke condition held
    UNVERIFIED = "unverified"  # a smoke condition did not hold when it was asked again
    REJECTED = "rejected"  # nobody may deploy this artifact
    UNREJECTED = "unrejected"
    APPROVED = "approved"  # somebody agreed that this artifact goes to this stack
    HELD = "held"  # nobody may move this stack without saying why
    UNHELD = "unheld"


_K = JudgementKind
_OF_VERIFICATION: Final = frozenset({_K.VERIFIED, _K.UNVERIFIED})
_OF_REJECTION: Final = frozenset({_K.REJECTED, _K.UNREJECTED})
_OF_HOLD: Final = frozenset({_K.HELD, _K.UNHELD})


@dataclass(frozen=True, slots=True)
class Judgement:
    """One word of one actor."""

    at: datetime
    actor: str
    kind: JudgementKind
    app: str
    stack: StackId | None = None  # None: the artifact everywhere
    artifact: str | None = None  # None: about the stack itself
    release: int | None = None  # number in the stack
    deployment: int | None = None
    why: str = ""


def verification(
    found: Iterable[Judgement], stack: StackId, artifact: str | None
) -> Judgement | None:
    """The word that verified an artifact in a stack, unless a later one took it back."""
    last = _last(found, _OF_VERIFICATION, stack, artifact)
    return last if last and last.kind is _K.VERIFIED else None


def last_look(found: Iterable[Judgement], stack: StackId, artifact: str | None) -> Judgement | None:
    """The last answer to the smoke conditions of an artifact in a stack, good or bad."""
    return _last(found, _OF_VERIFICATION, stack, artifact)


def rejection(found: Iterable[Judgement], artifact: str | None) -> Judgement | None:
    """Why an artifact may not be deployed anywhere, if somebody said so."""
    last = _last(found, _OF_REJECTION, None, artifact)
    return last if last and last.kind is _K.REJECTED else None


def hold_on(found: Iterable[Judgement], stack: StackId) -> Judgement | None:
    """Who holds a stack, since when and why."""
    last = _last(found, _OF_HOLD, stack, None)
    return last if last and last.kind is _K.HELD else None


def approvals(
    found: Iterable[Judgement], stack: StackId, artifact: str | None
) -> tuple[Judgement, ...]:
    """Everybody's agreement that an artifact goes to a stack, newest first."""
    return tuple(
        item
        for item in found
        if (item.kind, item.stack, item.artifact) == (_K.APPROVED, stack, artifact)
    )


def _last(
    found: Iterable[Judgement],
    kinds: frozenset[JudgementKind],
    stack: StackId | None,
    artifact: str | None,
) -> Judgement | None:
    fitting = (item for item in found if item.kind in kinds)
    return next(
        (item for item in fitting if (item.stack, item.artifact) == (stack, artifact)), None
    )
