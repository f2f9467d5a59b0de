"""`berth deploy --all`: every known stack, a few at a time; an unchanged one costs a hash."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from berthmaster.domain.errors import BerthmasterError, Bug, Interrupted
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan, Step
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress, Silence
from berthmaster.services.carry_out import Outcome
from berthmaster.services.deploy import Unchanged, deploy
from berthmaster.services.render_model import ReleaseRequest
from berthmaster.services.tenant_spec import is_rehearsal, is_suspended

# Most of a deploy is waiting: for readiness, a drain, a watch. More at once would make
# each start slower, so that a healthy release could miss its time.
AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class AllDeployed:
    """What became of each stack."""

    deployed: tuple[Outcome, ...]
    unchanged: tuple[StackId, ...]
    skipped: tuple[
        StackId, ...
    ]  # held, suspended, a rehearsal, or without a live release, or their folder is gone
    failed: tuple[tuple[StackId, BerthmasterError], ...]


async def deploy_all(
    outside: Outside, progress: Progress, *, tag: str | None = None, is_forced: bool = False
) -> AllDeployed:
    """Deploy each with the tag it runs, or with `tag`; a failure does not stop the others."""
    requests, skipped = choose_stacks(outside, tag, "berth deploy --all")
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(request: ReleaseRequest) -> Outcome | Unchanged:
        async with limit:
            told = OneOfMany(progress, request.stack)
            return await deploy(outside, request, told, is_forced=is_forced)

    # NOTE: all of them are waited for, so that an interrupted one has put everything back.
    ends = await asyncio.gather(*map(one, requests), return_exceptions=True)
    return _sorted_out(requests, ends, skipped)


def _sorted_out(
    requests: tuple[ReleaseRequest, ...],
    ends: list[Outcome | Unchanged | BaseException],
    skipped: tuple[StackId, ...],
) -> AllDeployed:
    deployed, unchanged = list[Outcome](), list[StackId]()
    failed = list[tuple[StackId, BerthmasterError]]()
    for request, end in zip(requests, ends, strict=True):
        match end:
            case Outcome():
                deployed.append(end)
            case Unchanged():
                unchanged.append(request.stack)
            case BerthmasterError() if not isinstance(end, Interrupted | Bug):
                failed.append((request.stack, end))
            case _:
                raise end
    return AllDeployed(tuple(deployed), tuple(unchanged), skipped, tuple(failed))


class OneOfMany(Silence):
    """Tells a plan's beginning and its failures: steps of several stacks would only mix."""

    def __init__(self, progress: Progress, stack: StackId) -> None:
        self._progress = progress
        self._stack = stack

    def plan_started(self, plan: Plan, deployment: str) -> None:
        self.note(f"{plan.verb} r{plan.new} ({deployment}, {len(plan.steps)} steps)")

    def step_failed(self, step: Step, *, is_undo: bool, seconds: float, error: str) -> None:
        what = f"undo: {step.undo_text}" if is_undo else step.what
        self.note(f"#{step.number} {step.subject}, {what}: FAILED: {error.partition(chr(10))[0]}")

    def note(self, text: str) -> None:
        self._progress.note(f"{self._stack}  {text}")


def choose_stacks(
    outside: Outside, tag: str | None, command: str
) -> tuple[tuple[ReleaseRequest, ...], tuple[StackId, ...]]:
    """What `--all` is about, each with the tag it runs or with `tag`; and what it leaves out."""
    tags = {item.stack: item.tag for item in outside.store.live_releases()}
    requests, skipped = list[ReleaseRequest](), list[StackId]()
    for record in outside.store.stacks():
        folder = Path(record.folder)
        is_closed = bool(record.held_because) or is_suspended(outside, record.id)
        is_closed = is_closed or is_rehearsal(outside, record.id)
        if record.id not in tags or is_closed or not folder.is_dir():
            skipped.append(record.id)
            continue
        wanted = tag or tags[record.id]
        requests.append(ReleaseRequest(record.id, folder, wanted, command=command))
    return tuple(requests), tuple(skipped)
