"""The check of a cloudflared tunnel in front of the gateway."""

from berthmaster.domain import checks
from berthmaster.domain.check import Check
from berthmaster.services.checks.facts import CheckFacts
from berthmaster.services.read_tunnel import read_tunnel


async def check_tunnel(facts: CheckFacts) -> list[Check]:
    """The tunnel's credentials, configuration and health, where the settings name one."""
    if facts.outside.tunnel is None:
        return []
    report = await read_tunnel(facts.outside)
    if not report.problems:
        return [checks.TUNNEL.ok(f"tunnel {report.tunnel.id} is ready")]
    return [checks.TUNNEL.failed(problem) for problem in report.problems]
