"""`berth promote`: run in one environment exactly what another one verified.

The same way as a deploy; only the images are not asked of a registry again, but are those that the
source runs. A tag that was pushed again since is seen and named, and does not get in.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from berthmaster.domain.errors import NotAllowed, NotFound, OutsideError
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan
from berthmaster.domain.release import ImagePin, Release
from berthmaster.planner.artifact import pins_in
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome
from berthmaster.services.deploy import Unchanged, deploy, plan_release
from berthmaster.services.permit import refuse_artifact
from berthmaster.services.render_model import ReleaseRequest, environment_of
from berthmaster.services.tenant_spec import read_spec


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a person asked for."""

    source: StackId
    target: StackId
    folder: Path
    artifact: str | None = None  # None: what the source runs now
    despite: str | None = None


async def promote(
    outside: Outside,
    promotion: Promotion,
    progress: Progress,
    *,
    is_forced: bool = False,
    based_on: str | None = None,
) -> Outcome | Unchanged:
    """Deploy the source's artifact to the target; raises `NotAllowed` for what is not verified
    there, changed since, rejected, held, frozen or not approved.
    """
    request = await _request(outside, promotion)
    for line in request.told:
        progress.note(line)
    return await deploy(outside, request, progress, is_forced=is_forced, based_on=based_on)


async def plan_promotion(outside: Outside, promotion: Promotion) -> Plan:
    """The plan for it; changes nothing."""
    return await plan_release(outside, await _request(outside, promotion))


async def _request(outside: Outside, promotion: Promotion) -> ReleaseRequest:
    source, target = promotion.source, promotion.target
    if source == target:
        raise NotAllowed(f"{source} cannot be promoted to itself")
    if source.app != target.app:
        raise NotAllowed(f"{source} and {target} are stacks of two apps")
    verified = _verified(outside, source, promotion.artifact)
    request = ReleaseRequest(
        target,
        promotion.folder,
        verified.tag,
        dict(verified.images),
        command=f"berth promote {source.environment} {target.environment}",
        verified=verified,
        despite=promotion.despite,
        told=await pushed_again(outside, verified),
    )
    there = environment_of(read_spec(outside, promotion.folder, target), target)
    refuse_artifact(outside, request, there, verified.artifact)
    return request


def _verified(outside: Outside, source: StackId, artifact: str | None) -> Release:
    """The release that the source runs, or its newest one of an artifact that was live there."""
    record = outside.store.stack(source)
    if record is None or record.live is None:
        raise NotFound(f"{source} runs no release", next_command=f"berth deploy {source}")
    number: int | None = record.live
    if artifact is not None:
        fitting = (item for item in outside.store.releases(source) if item.artifact == artifact)
        number = next((item.number for item in fitting), None)
    release = outside.store.release(source, number) if number is not None else None
    if release is None:
        raise NotFound(
            f"{source} keeps no release of artifact {(artifact or '')[:12]}",
            next_command=f"berth releases {source}",
        )
    return release


async def pushed_again(outside: Outside, verified: Release) -> tuple[str, ...]:
    """One sentence for each image whose tag means something else now than what was verified."""
    pins = pins_in(verified.services).values()
    return tuple(
        line for line in await asyncio.gather(*(_moved(outside, pin) for pin in pins)) if line
    )


async def _moved(outside: Outside, pin: ImagePin) -> str:
    if "@sha256:" in pin.reference:
        return ""
    try:
        now = await _means_now(outside, pin)
    except OutsideError:
        return ""  # nothing is lost: the digest that was verified is what runs
    if now is None or pin.runs_as.endswith(now):
        return ""
    return (
        f"{pin.reference} was pushed again: it is {now[:19]} now; what was verified, "
        f"{pin.runs_as.rpartition('@')[2][:19]}, is what runs"
    )


async def _means_now(outside: Outside, pin: ImagePin) -> str | None:
    """The digest behind the tag; the local id of an image that ran by its id."""
    if "@" in pin.runs_as:
        return await outside.registry.digest(pin.reference)
    local = await outside.runtime.image(pin.reference)
    return local.id if local else None
