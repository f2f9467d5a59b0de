"""What a name must be like, and who else on the server has it.

`berth domain add` asks no more than this: it imports neither the planner nor the reader of files.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from berthmaster.domain.domainpolicy import DomainPolicy
from berthmaster.domain.errors import GatewayRefused, NotAllowed
from berthmaster.domain.names import StackId

if TYPE_CHECKING:
    from berthmaster.domain.release import Release
    from berthmaster.ports.outside import Outside

NO_TENANTS: Final = "the app has no tenants: write `tenancy` in berth.yaml"


def read_policy(outside: "Outside", stack: StackId, folder: Path) -> DomainPolicy:
    """What names of a stack's environment must be like; raises as `read_spec_of`."""
    policy = outside.specs.outline(folder).environments.get(stack.environment)
    if policy is None:
        raise NotAllowed(f"{stack}: {NO_TENANTS}", next_command="docs/how-to/domains.md")
    return policy


async def owner_elsewhere(outside: "Outside", stack: StackId, host: str) -> str:
    """Which other app or environment has a host; empty when none has it."""
    held = outside.store.domain(host)
    if held is not None and (held.stack.app, held.stack.environment) != _place(stack):
        return str(held.stack)
    try:
        claims = await outside.router.claims_of(host)
    except GatewayRefused:
        return (await hosts_elsewhere(outside, stack)).get(host, "")
    own = _own_projects(outside, stack) if claims else set[str]()
    return next((claim.stack for claim in claims if claim.stack not in own), "")


async def hosts_elsewhere(outside: "Outside", stack: StackId) -> dict[str, str]:
    """Every exact host that another app or environment has, and whose it is."""
    found = {
        item.host: str(item.stack)
        for item in outside.store.domains()
        if (item.stack.app, item.stack.environment) != _place(stack)
    }
    own = _own_projects(outside, stack)
    try:
        claims = (await outside.router.table()).hosts
    except GatewayRefused:
        from berthmaster.services.route_table import claims_in_store  # and with it the planner

        claims = tuple(claims_in_store(outside))
    for claim in claims:
        if claim.stack not in own:
            found.setdefault(claim.host, claim.stack)
    return found


def live_release(outside: "Outside", stack: StackId) -> "Release | None":
    """What serves now."""
    record = outside.store.stack(stack)
    if record is None or record.live is None:
        return None
    return outside.store.release(stack, record.live)


def _place(stack: StackId) -> tuple[str, str]:
    return stack.app, stack.environment


def _own_projects(outside: "Outside", stack: StackId) -> set[str]:
    """Of the stack, its tenants' stacks, or those beside it."""
    stacks = (item.id for item in outside.store.stacks())
    return {stack.project} | {item.project for item in stacks if _place(item) == _place(stack)}
