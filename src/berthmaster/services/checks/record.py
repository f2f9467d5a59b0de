"""Checks of what the store knows of the stack: who changes it, what is unfinished."""

from berthmaster.domain import checks
from berthmaster.domain.check import Check
from berthmaster.services.checks.facts import CheckFacts


async def check_lease(facts: CheckFacts) -> list[Check]:
    """Whether somebody changes the stack now."""
    lease = facts.outside.store.lease(str(facts.stack))
    if lease is None or lease.expires_at <= facts.outside.clock.now():
        return [checks.LEASE.ok("nobody changes this stack now")]
    step = f", at step {lease.step}" if lease.step else ""
    return [checks.LEASE.failed(f"held by {lease.holder}{step}")]


async def check_unfinished(facts: CheckFacts) -> list[Check]:
    """Deployments that wait for a person; one that somebody is at waits for nobody."""
    if facts.outside.store.lease(str(facts.stack)) is not None:
        return [checks.DEPLOYMENT.ok("somebody is at it now")]
    waiting = [item for item in facts.outside.store.unfinished() if item.stack == facts.stack]
    found = [
        checks.DEPLOYMENT.failed(
            f"{item.label} ({item.verb}) is {item.state}",
            f"berth continue {item.label}, or berth unwind {item.label}",
        )
        for item in waiting
    ]
    return found or [checks.DEPLOYMENT.ok("every deployment came to an end")]
