"""`berth record`: write down what runs, as a file for git and, if asked for, as a report.

Writes only below the app's folder, and only what differs from what is there.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from berthmaster.domain.deployment import RELEASING, Deployment, DeploymentState, StepState
from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.judgement import Judgement, JudgementKind
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.planner import recording
from berthmaster.planner.recording import Recorded
from berthmaster.ports.outside import Outside
from berthmaster.services.compare import compare_numbers

RECORDS: Final = "deployments"  # folder beside berth.yaml, one file for each environment
REPORTS: Final = "docs/reports"
TEMPLATE_FILE: Final = f"{REPORTS}/TEMPLATE.md"  # of the app's own, if it is there
LOOKED_AT: Final = 200  # deployments of a stack among which the live release's is looked for
_MAKE_LIVE: Final = frozenset({*RELEASING, "rollback"})


@dataclass(frozen=True, slots=True)
class Written:
    """A file and whether it changed."""

    path: Path
    is_changed: bool


def record_release(
    outside: Outside, stack: StackId, folder: Path, *, with_report: bool = False
) -> tuple[Written, ...]:
    """Write the record of what is live, and the report; raises `NotFound` when nothing is."""
    found = read_recorded(outside, stack)
    tenant = f"-{stack.tenant}" if stack.tenant else ""
    target = folder / RECORDS / f"{stack.environment}{tenant}.json"
    written = [_write(folder, target, recording.render_record(found))]
    if with_report:
        own = folder / TEMPLATE_FILE
        template = own.read_text() if own.is_file() else recording.TEMPLATE
        report = folder / REPORTS / recording.report_name(found)
        written.append(_write(folder, report, recording.render_report(found, template)))
    return tuple(written)


def read_recorded(outside: Outside, stack: StackId) -> Recorded:
    """Everything known about what is live."""
    record = outside.store.stack(stack)
    number = record.live if record else None
    release = outside.store.release(stack, number) if number is not None else None
    if release is None:
        raise NotFound(f"{stack} runs no release", next_command=f"berth deploy {stack}")
    deployment = _deployment(outside, release)
    judged = outside.store.judgements(stack.app, artifact=release.artifact)
    previous = deployment.plan.old if deployment else None
    is_kept = previous is not None and outside.store.release(stack, previous) is not None
    return Recorded(
        release,
        deployment,
        _newest(judged, JudgementKind.VERIFIED),
        tuple(
            item for item in judged if (item.kind, item.stack) == (JudgementKind.APPROVED, stack)
        ),
        f"r{previous}"
        if previous is not None and previous != release.number
        else recording.NOTHING,
        compare_numbers(outside, stack, previous, release.number)
        if previous is not None and is_kept
        else (),
        _steps(outside, deployment),
    )


def _deployment(outside: Outside, release: Release) -> Deployment | None:
    """The one that made the release live last."""
    for item in outside.store.deployments(release.stack, LOOKED_AT):
        is_done = item.state is DeploymentState.SUCCEEDED and item.verb in _MAKE_LIVE
        if is_done and item.release == release.number:
            return item
    return None


def _newest(judged: tuple[Judgement, ...], kind: JudgementKind) -> tuple[Judgement, ...]:
    """The newest of each stack."""
    found: dict[StackId | None, Judgement] = {}
    for item in judged:
        if item.kind is kind:
            found.setdefault(item.stack, item)
    return tuple(found.values())


def _steps(outside: Outside, deployment: Deployment | None) -> tuple[str, ...]:
    if deployment is None:
        return ()
    rows = outside.store.journal(deployment.id)
    begun = {row.step: row.at for row in rows if row.state is StepState.STARTED}
    ended = {row.step: row for row in rows if row.state is StepState.SUCCEEDED}
    lines = []
    for step in deployment.plan.steps:
        if step.number in ended and step.number in begun:
            row = ended[step.number]
            seconds = (row.at - begun[step.number]).total_seconds()
            what = f"{step.subject}: {step.what}, {seconds:.1f} s"
            lines.append(f"{what} ({row.detail.splitlines()[0]})" if row.detail else what)
    return tuple(lines)


def _write(folder: Path, target: Path, text: str) -> Written:
    """Write a file that differs; a link that leads out of the folder is refused."""
    if not target.parent.resolve().is_relative_to(folder.resolve()) or target.is_symlink():
        raise NotAllowed(f"{target} leads out of {folder}")
    if target.is_file() and target.read_text() == text:
        return Written(target, is_changed=False)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    return Written(target, is_changed=True)
