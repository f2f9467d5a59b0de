"""Checks between environments and people: like what it mirrors, held, frozen."""

from berthmaster.domain import checks
from berthmaster.domain.check import Check
from berthmaster.domain.freeze import FREEZE_FILE, frozen_by
from berthmaster.domain.names import StackId
from berthmaster.planner.mirror import mirrored
from berthmaster.services.checks.facts import CheckFacts
from berthmaster.services.compare import compare_environments

SHOWN = 5


async def check_mirror(facts: CheckFacts) -> list[Check]:
    """What differs from the mirrored environment is listed as meant."""
    other = mirrored(facts.spec, facts.environment.name)
    if other is None:
        return []
    there = StackId(facts.stack.app, other)
    found = await compare_environments(facts.outside, facts.request.folder, facts.stack, there)
    names = [item.what for item in found.unintended]
    if names:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        evidence = f"differs from {other} in {', '.join(names[:SHOWN])}{more}"
        remedy = f"berth diff {facts.environment.name} {other}; make them alike, or list it under "
        return [checks.MIRROR.failed(evidence, f"{remedy}environments.NAME.intended")]
    unused = [
        checks.MIRROR.note(f"listed as intended, and no difference: {what}")
        for what in found.unused
    ]
    meant = f", but for {len(found.differences)} that are meant" if found.differences else ""
    return [checks.MIRROR.ok(f"like {other}{meant}"), *unused]


async def check_permit(facts: CheckFacts) -> list[Check]:
    """Nobody holds the stack, and no freeze is on."""
    found = []
    record = facts.outside.store.stack(facts.stack)
    if record is not None and record.held_because is not None:
        remedy = f"berth unhold {facts.stack}"
        found.append(checks.PERMIT.failed(f"held: {record.held_because}", remedy))
    windows = facts.outside.specs.freezes(facts.request.folder)
    there, now = facts.environment, facts.outside.clock.now()
    window = frozen_by(windows, there.name, is_strict=there.is_strict, now=now)
    if window is not None:
        evidence = f"frozen ({FREEZE_FILE}:{window.line or 1}): {window.why}"
        found.append(checks.PERMIT.failed(evidence))
    return found or [checks.PERMIT.ok("neither held nor frozen")]
