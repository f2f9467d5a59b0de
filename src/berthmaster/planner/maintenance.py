"""One step: the router answers a stack's 503 page, or its release again."""

from berthmaster.domain.plan import Plan, SetMaintenance
from berthmaster.planner.observed import Observed
from berthmaster.planner.steps import StepList


def plan_maintenance(observed: Observed, *, is_on: bool) -> Plan:
    """Plan to enter or leave maintenance; empty when it is already so."""
    steps = StepList()
    stack = observed.stack
    if observed.is_in_maintenance != is_on:
        word = "on" if is_on else "off"
        other = "off" if is_on else "on"
        steps.add(
            SetMaintenance(stack, is_on),
            (str(stack), f"maintenance {word}", "asked for"),
            (SetMaintenance(stack, not is_on), f"maintenance {other}"),
        )
    live = observed.live.number if observed.live else None
    return Plan(stack, "maintenance", live, live, observed.generation(), steps.done())
