"""Proofs about a plan before anybody runs it; a broken one is a `Bug`, never a deployment."""

from berthmaster.domain.errors import Bug
from berthmaster.domain.plan import (
    Action,
    DropDatabase,
    ForgetStack,
    Plan,
    ReleaseHosts,
    RemoveContainers,
    RemoveFiles,
    RemoveJob,
    RemoveNetwork,
    RemoveVolume,
    StartState,
    Step,
)

DESTRUCTIVE: tuple[type[Action], ...] = (
    RemoveContainers,
    RemoveNetwork,
    RemoveVolume,
    RemoveFiles,
    RemoveJob,
    ReleaseHosts,
    ForgetStack,
    DropDatabase,
)


def check_plan(plan: Plan) -> None:
    """Raise `Bug` unless steps are numbered, need only earlier ones, and destroy only past the
    point.
    """
    is_past = False
    for position, step in enumerate(plan.steps, start=1):
        if step.number != position:
            raise Bug(f"step {position} of the plan is numbered {step.number}")
        if any(needed >= step.number for needed in step.needs):
            raise Bug(f"step {step.number} needs a later one")
        if is_past and not step.is_forward_only:
            raise Bug(f"step {step.number} comes after the point of no return and can be undone")
        is_past = step.is_forward_only
        if not is_past and isinstance(step.action, DESTRUCTIVE) and not _comes_back(step):
            raise Bug(f"step {step.number} destroys before the point of no return")
        if is_past and step.undo is not None:
            raise Bug(f"step {step.number} is forward only and has an undo")


def _comes_back(step: Step) -> bool:
    """A state container holds no data: its undo makes it again over the same volumes."""
    action, undo = step.action, step.undo
    return (
        isinstance(action, RemoveContainers)
        and isinstance(undo, StartState)
        and action.containers == undo.containers
    )
