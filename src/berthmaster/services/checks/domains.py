"""The check of tenants' domains: their rows keep the environment's policy."""

from typing import Final

from berthmaster.domain import checks
from berthmaster.domain.check import Check
from berthmaster.domain.domainpolicy import check_rows, has_tenants, policy_of
from berthmaster.services.checks.facts import CheckFacts
from berthmaster.services.domains.elsewhere import hosts_elsewhere
from berthmaster.services.domains.rows import read_rows

SHOWN: Final = 5


async def check_domains(facts: CheckFacts) -> list[Check]:
    """Every violation of a tenant's row, the first few by name."""
    if not has_tenants(facts.spec):
        return [checks.DOMAINS.ok("the app has no tenants")]
    rows = await read_rows(facts.outside, facts.stack, facts.spec)
    if rows is None:
        return [checks.DOMAINS.ok("the app has no table of domains yet")]
    policy = policy_of(facts.spec, facts.stack.environment)
    found = check_rows(policy, rows, await hosts_elsewhere(facts.outside, facts.stack))
    if not found:
        return [checks.DOMAINS.ok(f"{len(rows)} domains keep the policy")]
    shown = "; ".join(item.what for item in found[:SHOWN])
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    environment = facts.stack.environment
    remedy = f"berth domain check {environment}, then berth domain fix {environment}"
    return [checks.DOMAINS.failed(f"{len(found)} violations: {shown}{more}", remedy)]
