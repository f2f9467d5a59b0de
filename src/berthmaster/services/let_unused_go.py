"""Part of `berth tick`: what a killed command had reserved for a release that never came.

Killed while it prepared, a deploy or a plan leaves a subnet and places in the router's pool; killed
before its deployment was recorded, a release too, which nobody would ever judge.
"""

from collections.abc import Iterator

from berthmaster.domain.names import StackId
from berthmaster.domain.release import ADOPTED
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.engine.lease import hold
from berthmaster.ports.outside import Outside
from berthmaster.services.adopt import forget_refused
from berthmaster.services.deploy import give_back
from berthmaster.services.trouble import Troubles


async def let_unused_go(outside: Outside, troubles: Troubles) -> tuple[str, ...]:
    """Give it back where nobody is at work; a line for each release."""
    told = []
    for stack, number in _unused(outside):
        with troubles.noted():
            async with hold(outside.store, str(stack), what="berth tick"):
                if (stack, number) not in _unused(outside):
                    continue
                _let_go(outside, stack, number)
                told.append(f"{stack}: r{number} was never begun; what it had reserved is free")
    return tuple(told)


def _let_go(outside: Outside, stack: StackId, number: int) -> None:
    is_recorded = outside.store.release(stack, number) is not None
    if is_recorded and number == ADOPTED:
        forget_refused(outside, stack)  # what runs is its owner's, and may be adopted again
        return
    if is_recorded:
        outside.store.set_release_state(stack, number, ReleaseState.FAILED)
    give_back(outside, stack, number)


def _unused(outside: Outside) -> frozenset[tuple[StackId, int]]:
    """Releases that no deployment is about, and reservations without one."""
    prepared = {
        (item.stack, item.number) for item in outside.store.releases_in(ReleaseState.PREPARED)
    }
    found = prepared | set(_without_release(outside))
    if not found:
        return frozenset()
    busy = {item.stack for item in outside.store.unfinished()}
    return frozenset(item for item in found if item[0] not in busy)


def _without_release(outside: Outside) -> Iterator[tuple[StackId, int]]:
    stacks = {item.id.project: item.id for item in outside.store.stacks()}
    numbers: dict[StackId, frozenset[int]] = {}
    for owner in outside.store.subnets():
        project, _, number = owner.removesuffix("-net").rpartition("-r")
        stack = stacks.get(project)
        if stack is None or not number.isdecimal() or not owner.endswith("-net"):
            continue
        if stack not in numbers:
            numbers[stack] = frozenset(item.number for item in outside.store.releases(stack))
        if int(number) not in numbers[stack]:
            yield stack, int(number)
