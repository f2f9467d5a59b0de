"""What a Compose file may not ask for, checked on the fully rendered model.

Pure. Compose is code that runs as root: each rule looks at both syntaxes, because a checker that knew only
one of them has let attackers through elsewhere. An override is written in `berth.yaml` and is recorded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from berthmaster.domain.spec import Allowance, AppSpec
from berthmaster.planner.roles import RoleDecision


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that the policy refuses, unless `is_allowed_by` names the override."""

    service: str  # empty for a volume or network of the app
    rule: str  # what `policy.allow` names, e.g. `privileged`
    evidence: str
    remedy: str
    is_allowed_by: Allowance | None = None


def check_policy(
    model: Mapping[str, Any],
    decisions: Sequence[RoleDecision],
    spec: AppSpec,
    environment: str,
    named: frozenset[str] = frozenset(),
) -> tuple[Violation, ...]:
    """List every violation, allowed ones too, sorted by service and rule; raises nothing for them.

    `named` holds the services whose image was named on the command line (`--tag`, `--image`): a mutable
    tag that a person typed is accepted, and recorded as a digest.
    """
    raise NotImplementedError
