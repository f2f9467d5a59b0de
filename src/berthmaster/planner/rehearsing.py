"""The backup that a rehearsal begins with: production is asked for a dump, and not touched."""

from collections.abc import Sequence

from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan, TakeRestorePoint
from berthmaster.domain.release import ReleaseService
from berthmaster.planner.observed import Observed
from berthmaster.planner.steps import StepList


def plan_copy(
    copy: StackId, databases: Sequence[ReleaseService], observed: Observed, name: str
) -> Plan:
    """Plan to dump production's databases, each into the copy's own folder of restore points."""
    steps = StepList()
    for item in databases:
        steps.add(
            TakeRestorePoint(copy, 0, item.name, item.containers[0], point_of(name, item)),
            (item.containers[0], "take restore point", "the rehearsal works on a copy of its data"),
        )
    steps.barrier()
    return Plan(copy, "copy", None, None, observed.generation(), steps.done())


def point_of(name: str, service: ReleaseService) -> str:
    """What the dump of one database is called."""
    return f"{name}-{service.name}"
