"""`berth verify` and `berth promote`: prove an artifact in one environment, run it in the next."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from berthmaster.cli.files import FileHere, FileThere
from berthmaster.cli.invocation import BerthCommand, Invocation, complete_stacks, stack_argument
from berthmaster.cli.output import paint, print_json, print_table
from berthmaster.cli.planned import print_plan
from berthmaster.cli.release import despite_option, make_live
from berthmaster.domain.errors import UserError
from berthmaster.domain.names import StackId

if TYPE_CHECKING:
    from berthmaster.ports.outside import Outside
    from berthmaster.services.carry_out import Outcome
    from berthmaster.services.deploy import Unchanged
    from berthmaster.services.promote import Promotion
    from berthmaster.services.verify import Verification

BAD_CODE = 1


@click.command(cls=BerthCommand)
@stack_argument
@click.option(
    "--checklist", metavar="FILE", type=FileHere(), help="Ask the items of this file instead."
)
@click.option(
    "--report",
    metavar="FILE",
    type=FileThere(),
    help="With --checklist: write a page with the evidence.",
)
@click.option(
    "--strict", "is_strict", is_flag=True, help="With --checklist: fail for what was not asked."
)
@click.pass_context
def verify(
    context: click.Context,
    stack: str | None,
    checklist: Path | None,
    report: Path | None,
    is_strict: bool,
) -> None:
    """Ask the smoke conditions again, or a checklist.

    Of the live release, at its own address and through the gateway. What comes of it is recorded:
    a promotion wants that they held. A checklist is only asked.
    """
    from berthmaster.services.verify import verify as verify_stack

    invocation = context.find_object(Invocation) or Invocation()
    wanted = invocation.known_stack(stack)
    if checklist is not None:
        context.exit(_verify_by(invocation, wanted, checklist, report, is_strict))
    if report or is_strict:
        raise UserError("--report and --strict go with --checklist FILE")
    found = invocation.run(lambda outside: verify_stack(outside, wanted))
    if invocation.is_json:
        _print_json(found)
    else:
        _print(found)
    if found.unmet:
        context.exit(BAD_CODE)


def _verify_by(
    invocation: Invocation, stack: StackId, path: Path, report: Path | None, is_strict: bool
) -> int:
    from berthmaster.cli.checklist import checklist_json, print_checklist, write_report
    from berthmaster.domain.checklist import Verdict
    from berthmaster.services.run_checklist import run_checklist

    wanted = invocation.outside.specs.checklist(path)
    found = invocation.run(lambda outside: run_checklist(outside, stack, wanted))
    if report is not None:
        write_report(found, report)
    if invocation.is_json:
        print_json(checklist_json(found))
    else:
        print_checklist(found)
    is_complete = found.count(Verdict.OK) == len(found.answers)
    is_bad = found.count(Verdict.FAILED) > 0 or (is_strict and not is_complete)
    return BAD_CODE if is_bad else 0


def _print(found: "Verification") -> None:
    rows = [
        ("failed" if item.error else "ok", item.condition, item.way, item.error)
        for item in found.findings
    ]
    if rows:
        print_table(("IS", "CONDITION", "ASKED", "FOUND"), rows, coloured=0)
    release, unmet = found.release, len(found.unmet)
    verdict = paint("is not verified", "red", bold=True) if unmet else paint("is verified", "green")
    what = f"{unmet} of {len(found.findings)} answers are bad" if unmet else "all conditions hold"
    what = what if found.findings else "no smoke condition is declared in berth.yaml"
    click.echo(f"{release.stack}  {release.label} {verdict} ({what})")


def _print_json(found: "Verification") -> None:
    print_json(
        {
            "stack": str(found.release.stack),
            "release": found.release.number,
            "artifact": found.release.artifact,
            "is_verified": not found.unmet,
            "conditions": [
                {
                    "condition": item.condition,
                    "asked": item.way,
                    "error": item.error,
                    "seconds": round(item.seconds, 3),
                }
                for item in found.findings
            ],
        }
    )


@click.command(cls=BerthCommand)
@click.argument("source", metavar="[APP@]ENV", shell_complete=complete_stacks)
@click.argument("target", metavar="[APP@]ENV", shell_complete=complete_stacks)
@click.argument("artifact", metavar="[ARTIFACT|dN|rN]", required=False)
@click.option("--force", "is_forced", is_flag=True, help="Deploy although nothing changed.")
@click.option("--plan", "is_plan", is_flag=True, help="Show the plan only.")
@click.option(
    "--based-on",
    metavar="HASH",
    help="Refuse when the world is not the one of the plan that was looked at.",
)
@despite_option
@click.pass_obj
def promote(
    invocation: Invocation, /, source: str, target: str, artifact: str | None, **options: Any
) -> None:
    """Run in one environment exactly what another one verified.

    The same images by digest, whatever their tag means now. Refused when the files changed since,
    when somebody rejected it, and while the target is held or frozen.
    """
    from berthmaster.services.promote import plan_promotion
    from berthmaster.services.promote import promote as promote_artifact

    promotion = _promotion(invocation, source, target, artifact)
    promotion = replace(promotion, despite=options["despite"])
    if options["is_plan"]:
        print_plan(invocation, invocation.run(lambda world: plan_promotion(world, promotion)))
        return

    async def work(outside: "Outside") -> "Outcome | Unchanged":
        return await promote_artifact(
            outside,
            promotion,
            invocation.progress,
            is_forced=options["is_forced"],
            based_on=options["based_on"],
        )

    make_live(invocation, promotion.target, work)


def _promotion(
    invocation: Invocation, source: str, target: str, artifact: str | None
) -> "Promotion":
    from berthmaster.services.judge import find_artifact
    from berthmaster.services.promote import Promotion

    there, wanted = invocation.declared_stack(source), invocation.declared_stack(target)
    named = None
    if artifact is not None:
        named = find_artifact(invocation.outside, there.app, artifact, there).artifact
    return Promotion(there, wanted, invocation.folder_of(wanted), named)
