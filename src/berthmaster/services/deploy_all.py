"""`berth deploy --all`: every known stack, one after the other; an unchanged one costs a hash."""

from dataclasses import dataclass
from pathlib import Path

from berthmaster.domain.errors import BerthmasterError, Bug, Interrupted
from berthmaster.domain.names import StackId
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome
from berthmaster.services.deploy import Unchanged, deploy
from berthmaster.services.render_model import ReleaseRequest


@dataclass(frozen=True, slots=True)
class AllDeployed:
    """What became of each stack."""

    deployed: tuple[Outcome, ...]
    unchanged: tuple[StackId, ...]
    skipped: tuple[StackId, ...]  # held, or without a live release, or their folder is gone
    failed: tuple[tuple[StackId, BerthmasterError], ...]


async def deploy_all(
    outside: Outside, progress: Progress, *, tag: str | None = None, is_forced: bool = False
) -> AllDeployed:
    """Deploy each with the tag it runs, or with `tag`; a failure does not stop the others."""
    requests, skipped = choose_stacks(outside, tag, "berth deploy --all")
    deployed: list[Outcome] = []
    unchanged: list[StackId] = []
    failed: list[tuple[StackId, BerthmasterError]] = []
    for request in requests:
        try:
            done = await deploy(outside, request, progress, is_forced=is_forced)
        except (Interrupted, Bug):
            raise
        except BerthmasterError as error:
            failed.append((request.stack, error))
            continue
        if isinstance(done, Unchanged):
            unchanged.append(request.stack)
        else:
            deployed.append(done)
    return AllDeployed(tuple(deployed), tuple(unchanged), skipped, tuple(failed))


def choose_stacks(
    outside: Outside, tag: str | None, command: str
) -> tuple[tuple[ReleaseRequest, ...], tuple[StackId, ...]]:
    """What `--all` is about, each with the tag it runs or with `tag`; and what it leaves out."""
    tags = {item.stack: item.tag for item in outside.store.live_releases()}
    requests, skipped = list[ReleaseRequest](), list[StackId]()
    for record in outside.store.stacks():
        folder = Path(record.folder)
        if record.id not in tags or record.held_because or not folder.is_dir():
            skipped.append(record.id)
            continue
        wanted = tag or tags[record.id]
        requests.append(ReleaseRequest(record.id, folder, wanted, command=command))
    return tuple(requests), tuple(skipped)
