"""`berth plan --all`: what `berth deploy --all` would do now, one stack after the other."""

from collections.abc import Callable
from dataclasses import dataclass

from berthmaster.domain.errors import BerthmasterError, Bug, Interrupted
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan
from berthmaster.ports.outside import Outside
from berthmaster.services.deploy import find_unchanged, plan_release
from berthmaster.services.deploy_all import choose_stacks


@dataclass(frozen=True, slots=True)
class AllPlanned:
    """Which stacks would change, and what would become of the others."""

    planned: tuple[StackId, ...]
    unchanged: tuple[StackId, ...]
    skipped: tuple[StackId, ...]  # as `deploy --all` skips them
    failed: tuple[tuple[StackId, BerthmasterError], ...]


async def plan_all(
    outside: Outside, show: Callable[[Plan], None], *, tag: str | None = None
) -> AllPlanned:
    """Plan each with the tag it runs, or with `tag`; changes nothing and keeps no reservation.

    Each plan is shown when it is made and not kept: hundreds need more than a command may take.
    """
    requests, skipped = choose_stacks(outside, tag, "berth plan --all")
    planned, unchanged = list[StackId](), list[StackId]()
    failed = list[tuple[StackId, BerthmasterError]]()
    for request in requests:
        try:
            if find_unchanged(outside, request):
                unchanged.append(request.stack)
            else:
                show(await plan_release(outside, request))
                planned.append(request.stack)
        except (Interrupted, Bug):
            raise
        except BerthmasterError as error:
            failed.append((request.stack, error))
    return AllPlanned(tuple(planned), tuple(unchanged), skipped, tuple(failed))
