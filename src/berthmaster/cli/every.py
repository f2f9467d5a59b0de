"""`deploy --all` and `plan --all`: one command about every stack that the server knows."""

from typing import TYPE_CHECKING, Any

import click

from berthmaster.cli.housekeeping import changing
from berthmaster.cli.invocation import Invocation
from berthmaster.cli.output import print_json
from berthmaster.cli.planned import print_plan
from berthmaster.domain import codec
from berthmaster.domain.plan import Plan
from berthmaster.ports.outside import Outside

if TYPE_CHECKING:
    from berthmaster.services.deploy_all import AllDeployed
    from berthmaster.services.plan_all import AllPlanned


def deploy_every(invocation: Invocation, tag: str | None, *, is_forced: bool) -> int:
    """Every known stack; goes on after a failure, and the worst code wins."""
    from berthmaster.cli.failure import tell
    from berthmaster.services.deploy_all import AllDeployed, deploy_all

    async def work(outside: Outside) -> AllDeployed:
        return await deploy_all(outside, invocation.progress, tag=tag, is_forced=is_forced)

    found = changing(invocation, work)
    if invocation.is_json:
        deployed = [str(item.stack) for item in found.deployed]
        print_json({"deployed": deployed, **_others_json(found)})
    else:
        for _, error in found.failed:
            tell(error, invocation, is_json=False)
        click.echo(
            f"{len(found.deployed)} deployed, {len(found.unchanged)} unchanged, "
            f"{len(found.skipped)} skipped, {len(found.failed)} failed"
        )
    return max((error.exit_code for _, error in found.failed), default=0)


def plan_every(invocation: Invocation, tag: str | None) -> int:
    """The plans of what would change; the worst code of those that cannot be planned."""
    from berthmaster.cli.failure import tell
    from berthmaster.services.plan_all import plan_all

    plans = list[Any]()

    def show(plan: Plan) -> None:
        if invocation.is_json:
            plans.append(codec.encode(plan))
        else:
            print_plan(invocation, plan)

    found = invocation.run(lambda outside: plan_all(outside, show, tag=tag))
    if invocation.is_json:
        print_json({"plans": plans, **_others_json(found)})
    else:
        for _, error in found.failed:
            tell(error, invocation, is_json=False)
        click.echo(
            f"{len(found.planned)} would change, {len(found.unchanged)} unchanged, "
            f"{len(found.skipped)} skipped, {len(found.failed)} failed"
        )
    return max((error.exit_code for _, error in found.failed), default=0)


def _others_json(found: "AllDeployed | AllPlanned") -> dict[str, Any]:
    return {
        "unchanged": [str(item) for item in found.unchanged],
        "skipped": [str(item) for item in found.skipped],
        "failed": {str(stack): error.message for stack, error in found.failed},
    }
