"""`berth plan --all`: what `berth deploy --all` would do now, one stack after the other."""

from dataclasses import dataclass

from berthmaster.domain.errors import BerthmasterError, Bug, Interrupted
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan
from berthmaster.ports.outside import Outside
from berthmaster.services.deploy import find_unchanged, plan_release
from berthmaster.services.deploy_all import choose_stacks


@dataclass(frozen=True, slots=True)
class AllPlanned:
    """The plan of each stack that would change, and what would become of the others."""

    plans: tuple[Plan, ...]
    unchanged: tuple[StackId, ...]
    skipped: tuple[StackId, ...]  # as `deploy --all` skips them
    failed: tuple[tuple[StackId, BerthmasterError], ...]


async def plan_all(outside: Outside, *, tag: str | None = None) -> AllPlanned:
    """Plan each with the tag it runs, or with `tag`; changes nothing and keeps no reservation."""
    requests, skipped = choose_stacks(outside, tag, "berth plan --all")
    plans, unchanged = list[Plan](), list[StackId]()
    failed = list[tuple[StackId, BerthmasterError]]()
    for request in requests:
        try:
            if find_unchanged(outside, request):
                unchanged.append(request.stack)
            else:
                plans.append(await plan_release(outside, request))
        except (Interrupted, Bug):
            raise
        except BerthmasterError as error:
            failed.append((request.stack, error))
    return AllPlanned(tuple(plans), tuple(unchanged), skipped, tuple(failed))
