"""What a check is: its place in the catalogue, and one answer to it.

Kinds are listed in `checks.py`, asked in `services/checks`, printed by `berth check`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What came of asking, worst first."""

    CHANGE = "change"  # must be changed before a deploy: exit code 2
    OUTSIDE = "outside"  # something outside failed or is not up: exit code 3
    UNKNOWN = "unknown"  # could not be known now; never the same as ok
    OVERRIDDEN = "overridden"  # would be refused, and berth.yaml says why not
    NOTE = "note"  # worth knowing, stops nothing
    OK = "ok"


class Scope(StrEnum):
    """The environments in which a check is asked."""

    EVERYWHERE = "every environment"
    STRICT = "strict environments"
    PROD = "production"


PRODUCTION = frozenset({"prod", "production", "live"})  # names of environments


@dataclass(frozen=True, slots=True)
class Check:
    """One answer; `id` is stable."""

    id: str
    severity: Severity
    evidence: str
    remedy: str = ""
    why: str = ""  # of the override

    @property
    def is_bad(self) -> bool:
        """Whether it would stop a deploy or a pipeline."""
        return self.severity in (Severity.CHANGE, Severity.OUTSIDE)


@dataclass(frozen=True, slots=True)
class CheckKind:
    """One thing that is asked before a deploy."""

    id: str
    severity: Severity  # of an answer that is not good
    title: str  # what must hold, in one sentence
    remedy: str
    scope: Scope = Scope.EVERYWHERE
    is_asked_by_deploy: bool = False  # it stops `berth deploy` too, before anything changes
    locked_because: str = ""  # why no override is taken; empty when one is

    def ok(self, evidence: str) -> Check:
        """It holds."""
        return Check(self.id, Severity.OK, evidence)

    def failed(self, evidence: str, remedy: str = "") -> Check:
        """It does not hold; without `remedy` the catalogue's is told."""
        return Check(self.id, self.severity, evidence, remedy or self.remedy)

    def note(self, evidence: str, remedy: str = "") -> Check:
        """It is worth knowing and stops nothing."""
        return Check(self.id, Severity.NOTE, evidence, remedy)

    def unknown(self, evidence: str, remedy: str = "") -> Check:
        """Nobody can tell now: not yet, or not from here."""
        return Check(self.id, Severity.UNKNOWN, evidence, remedy)

    def not_asked(self, why: str, remedy: str = "") -> Check:
        """Something outside did not answer the question."""
        return Check(self.id, Severity.OUTSIDE, f"could not be asked: {why}", remedy)

    def applies(self, environment: str, *, is_strict: bool) -> bool:
        """Whether it is asked in an environment."""
        match self.scope:
            case Scope.EVERYWHERE:
                return True
            case Scope.STRICT:
                return is_strict
            case Scope.PROD:
                return is_strict and environment in PRODUCTION
