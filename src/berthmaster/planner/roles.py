"""What each service is to a deployment, and why.

Pure: reads the model that `docker compose config` printed and `berth.yaml`; asks nothing outside.
A wrong guess could put two writers on one database, so whatever is not clear is marked as a guess, and in
strict environments a guess is an error that asks for `services.<name>.role`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from berthmaster.domain.spec import AppSpec, Role


@dataclass(frozen=True, slots=True)
class RoleDecision:
    """One service's role with the reason that the plan prints."""

    service: str
    role: Role
    reason: str
    is_ambiguous: bool = False  # a guess: strict environments want it written down


def decide_roles(
    model: Mapping[str, Any],
    spec: AppSpec,
    environment: str,
    versioned: frozenset[str] = frozenset(),
) -> tuple[RoleDecision, ...]:
    """Decide the role of every service of the model, sorted by name.

    `versioned` names the services whose image tag comes from the release variable (interpolation is no
    longer visible in the model; `Specs.versioned_services` knows). Raises `InvalidSpec` naming all
    ambiguous services when the environment is strict.
    """
    raise NotImplementedError
