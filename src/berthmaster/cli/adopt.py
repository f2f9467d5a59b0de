"""`berth adopt`: take over a running Compose project, and give it back."""

from typing import TYPE_CHECKING, Any

import click

from berthmaster.cli.housekeeping import changing
from berthmaster.cli.invocation import BerthCommand, Invocation, stack_argument
from berthmaster.cli.output import paint, print_json
from berthmaster.cli.planned import print_plan
from berthmaster.cli.release import check_reason
from berthmaster.domain.errors import UserError

if TYPE_CHECKING:
    from berthmaster.domain.names import StackId
    from berthmaster.domain.plan import Plan
    from berthmaster.ports.outside import Outside
    from berthmaster.services.advise_proxy import Advice
    from berthmaster.services.carry_out import Outcome
    from berthmaster.services.hand_over import HandedOver, Wish


@click.command(cls=BerthCommand)
@click.argument("project")
@stack_argument
@click.option("--plan", "is_plan", is_flag=True, help="Show the plan, and change nothing.")
@click.option("--undo", "is_undo", is_flag=True, help="Give the project back as it was.")
@click.option(
    "--let-go",
    "is_let_go",
    is_flag=True,
    help="Stop r0, which is kept while visitors may reach it past the gateway.",
)
@click.option(
    "--despite",
    metavar="WHY",
    help="Let r0 go although somebody still asks it; the reason is recorded.",
)
@click.option(
    "--replace-proxy",
    "is_proxy",
    is_flag=True,
    help="Let the gateway answer where your own proxy answers now; with --undo, only that back.",
)
@click.option(
    "--proxy",
    metavar="CONTAINER",
    help="That proxy, or its service in PROJECT; by default who has port 80 or 443.",
)
@click.option(
    "--without",
    metavar="HOST",
    multiple=True,
    help="A name that the proxy answers and nobody needs any more.",
)
@click.pass_obj
def adopt(
    invocation: Invocation,
    /,
    project: str,
    stack: str | None,
    is_plan: bool,
    is_undo: bool,
    **proxy: Any,
) -> None:
    """Take over a running Compose PROJECT; nothing in it restarts.

    Its containers become release r0, its databases and volumes stay where they are. What each
    service is stands in berth.yaml, which `berth init` writes.

    Once it is adopted, --replace-proxy gives the gateway the ports of your own proxy. The plan says
    what visitors notice, and the end what they noticed.
    """
    _refuse_mixed(is_undo, proxy)
    if proxy["is_let_go"]:
        _let_go(invocation, project, invocation.known_stack(stack), is_plan, proxy["despite"])
    elif is_undo:
        wanted = invocation.known_stack(stack)
        _undo(invocation, project, wanted, is_plan, is_proxy_only=proxy["is_proxy"])
    elif proxy["is_proxy"]:
        from berthmaster.services.hand_over import Wish

        wanted = invocation.known_stack(stack)
        _hand_over(invocation, Wish(wanted, project, proxy["proxy"], proxy["without"]), is_plan)
    else:
        _adopt(invocation, project, invocation.declared_stack(stack), is_plan)


def _refuse_mixed(is_undo: bool, given: dict[str, Any]) -> None:
    if not given["is_proxy"] and (given["proxy"] or given["without"]):
        raise UserError("--proxy and --without say more about --replace-proxy")
    if given["despite"] is not None:
        check_reason("--despite", given["despite"])
        if not given["is_let_go"]:
            raise UserError("--despite says more about --let-go")
    if given["is_let_go"] and (is_undo or given["is_proxy"]):
        raise UserError("--let-go goes alone")


def _let_go(
    invocation: Invocation, project: str, wanted: "StackId", is_plan: bool, despite: str | None
) -> None:
    from berthmaster.services import let_go as letting

    if is_plan:
        found = invocation.run(
            lambda outside: letting.plan_let_go(outside, wanted, project, despite=despite)
        )
        print_plan(invocation, found)
        return

    async def work(outside: "Outside") -> "Outcome":
        return await letting.let_go(outside, wanted, project, invocation.progress, despite=despite)

    outcome = changing(invocation, work)
    if invocation.is_json:
        print_json({"stack": str(wanted), "let_go": 0, "deployment": outcome.deployment})
        return
    click.echo(f"{wanted}  r0 is stopped, its containers are kept ({outcome.deployment})")
    click.echo(f"  turn back: berth rollback {wanted} --to r0", err=True)


def _adopt(invocation: Invocation, project: str, wanted: "StackId", is_plan: bool) -> None:
    from berthmaster.services import adopt as adopting
    from berthmaster.services.render_model import ReleaseRequest

    folder = invocation.folder_of(wanted)
    request = ReleaseRequest(wanted, folder, command="berth adopt")
    if is_plan:
        found = invocation.run(lambda outside: adopting.plan_adoption(outside, request, project))
        print_plan(invocation, found)
        return

    async def work(outside: "Outside") -> "Outcome":
        return await adopting.adopt(outside, request, project, invocation.progress)

    outcome = changing(invocation, work)
    advice = _advice(invocation, request.stack)
    if invocation.is_json:
        said = {"stack": str(wanted), "release": 0, "deployment": outcome.deployment}
        print_json({**said, "at": advice.url if advice else "", "proxy": _advice_json(advice)})
        return
    click.echo(f"{wanted}  r0 is {project} as it runs ({outcome.deployment})")
    if advice:
        _print_advice(advice)
    click.echo(f"  next: berth deploy {wanted}", err=True)
    click.echo(f"  give back: berth adopt {project} {wanted} --undo", err=True)


def _advice(invocation: Invocation, stack: "StackId") -> "Advice | None":
    """What to change in the proxy that stands in front; nothing when that cannot be looked up."""
    from berthmaster.domain.errors import OutsideError
    from berthmaster.services.advise_proxy import advise_proxy

    release = invocation.outside.store.release(stack, 0)
    if release is None:
        return None
    try:
        return invocation.run(lambda outside: advise_proxy(outside, release))
    except OutsideError:
        return None


def _print_advice(advice: "Advice") -> None:
    """The line of this very proxy; in words where its kind is not known."""
    hint, name = advice.hint, advice.proxy
    if not name:
        click.echo(
            f"  your proxy: let it pass requests to {advice.url}, Host header kept", err=True
        )
    else:
        what = name if hint.kind == "proxy" else f"{name} ({hint.kind})"
        click.echo(f"  your proxy: {what}{f', {hint.where}' if hint.where else ''}", err=True)
        if hint.old:
            click.echo(paint(f"    - {hint.old}", "red"), err=True)
        for line in hint.new:
            click.echo(paint(f"    + {line}", "green"), err=True)
        if hint.then:
            click.echo(f"    then: {hint.then}", err=True)
    for note in advice.notes:
        click.echo(f"    {note}", err=True)


def _advice_json(advice: "Advice | None") -> dict[str, Any] | None:
    if advice is None or not advice.proxy:
        return None
    hint = advice.hint
    return {
        "name": advice.proxy,
        "kind": hint.kind,
        "where": hint.where,
        "old": hint.old,
        "new": hint.new,
        "then": hint.then,
        "notes": advice.notes,
    }


def _hand_over(invocation: Invocation, wish: "Wish", is_plan: bool) -> None:
    from berthmaster.services import hand_over as handing

    if is_plan:
        print_plan(
            invocation, invocation.run(lambda outside: handing.plan_hand_over(outside, wish))
        )
        return

    async def work(outside: "Outside") -> "HandedOver":
        return await handing.hand_over(outside, wish, invocation.progress)

    done = changing(invocation, work)
    if invocation.is_json:
        print_json(_handed_json(wish.stack, done))
        return
    click.echo(f"{wish.stack}  the gateway answers in the place of {done.proxy} ({_label(done)})")
    _print_seen(done)
    click.echo(f"  back: berth adopt {wish.project} {wish.stack} --replace-proxy --undo", err=True)


def _undo(
    invocation: Invocation, project: str, wanted: "StackId", is_plan: bool, *, is_proxy_only: bool
) -> None:
    """The proxy first, when it was replaced: while it answers, the project can be given back."""
    from berthmaster.services.hand_over import is_handed_over

    back: dict[str, Any] = {}
    if is_proxy_only or is_handed_over(invocation.outside, wanted):
        if not is_proxy_only:  # what will be refused must not begin
            _plan_undo(invocation, project, wanted)
        back = _hand_back(invocation, project, wanted, is_plan)
    if not is_proxy_only:
        _give_back(invocation, project, wanted, is_plan, back)
    elif invocation.is_json and not is_plan:
        print_json(back)


def _hand_back(
    invocation: Invocation, project: str, wanted: "StackId", is_plan: bool
) -> dict[str, Any]:
    """Do it, and return what `--json` says of it."""
    from berthmaster.services import hand_over as handing

    if is_plan:
        plan = invocation.run(lambda outside: handing.plan_hand_back(outside, wanted, project))
        print_plan(invocation, plan)
        return {}

    async def work(outside: "Outside") -> "HandedOver":
        return await handing.hand_back(outside, wanted, project, invocation.progress)

    done = changing(invocation, work)
    if not invocation.is_json:
        click.echo(f"{wanted}  {done.proxy} answers again, as before ({_label(done)})")
        _print_seen(done)
    return _handed_json(wanted, done)


def _print_seen(done: "HandedOver") -> None:
    click.echo(f"  measured: {done.seen.describe()}")


def _label(done: "HandedOver") -> str:
    return done.outcome.deployment or "nothing to do"


def _handed_json(stack: "StackId", done: "HandedOver") -> dict[str, Any]:
    return {
        "stack": str(stack),
        "proxy": done.proxy,
        "deployment": done.outcome.deployment,
        "asked": done.seen.asked,
        "lost": done.seen.lost,
        "gap_seconds": round(done.seen.gap_seconds, 3),
    }


def _plan_undo(invocation: Invocation, project: str, wanted: "StackId") -> "Plan":
    from berthmaster.services import adopt as adopting

    return invocation.run(lambda outside: adopting.plan_undo(outside, wanted, project))


def _give_back(
    invocation: Invocation,
    project: str,
    wanted: "StackId",
    is_plan: bool,
    back: dict[str, Any],
) -> None:
    from berthmaster.services import adopt as adopting

    if is_plan:
        print_plan(invocation, _plan_undo(invocation, project, wanted))
        return

    async def work(outside: "Outside") -> "Outcome":
        return await adopting.undo(outside, wanted, project, invocation.progress)

    outcome = changing(invocation, work)
    if invocation.is_json:
        said = {"stack": str(wanted), "given_back": project, "deployment": outcome.deployment}
        print_json({**said, "proxy": back} if back else said)
    else:
        click.echo(f"{wanted}  {project} is given back as it was ({outcome.deployment})")
