"""`berth rehearse ship`: what was rehearsed becomes production's next release, by a deploy.

The same images by digest, the same files; of the copy's data nothing crosses over. Refused when
anything changed since the rehearsal, or when production and copy did not answer alike.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from berthmaster.domain import judgement as judging
from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan
from berthmaster.domain.rehearsal import copy_of
from berthmaster.domain.release import Release
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome
from berthmaster.services.deploy import Unchanged, deploy, plan_release
from berthmaster.services.identify_artifact import refuse_changed_inputs
from berthmaster.services.prepare_release import fingerprint_of, live_release
from berthmaster.services.promote import pushed_again
from berthmaster.services.rehearsals.announce import refuse_unannounced
from berthmaster.services.render_model import ReleaseRequest
from berthmaster.services.tenant_spec import read_spec


@dataclass(frozen=True, slots=True)
class Shipping:
    """What a person asked for."""

    stack: StackId
    folder: Path
    despite: str | None = None  # a freeze or a hold
    is_closed: bool = False  # visitors get the maintenance page until the switch


async def ship(
    outside: Outside, wanted: Shipping, progress: Progress, *, based_on: str | None = None
) -> Outcome | Unchanged:
    """Deploy it; raises `NotAllowed` for what is not what was rehearsed."""
    request = await _request(outside, wanted)
    for line in request.told:
        progress.note(line)
    return await deploy(outside, request, progress, is_forced=True, based_on=based_on)


async def plan_ship(outside: Outside, wanted: Shipping) -> Plan:
    """The plan for it; changes nothing."""
    return await plan_release(outside, await _request(outside, wanted))


async def _request(outside: Outside, wanted: Shipping) -> ReleaseRequest:
    stack = wanted.stack
    copy, live = live_release(outside, copy_of(stack)), live_release(outside, stack)
    if copy is None or live is None:
        raise NotFound(f"{stack} has no rehearsal", next_command=f"berth rehearse {stack}")
    if copy.rehearses is None:
        raise NotAllowed(
            f"{copy.stack} was turned back: {copy.label} is production's old release",
            next_command=f"berth rollback {stack} --rehearse",
        )
    request = ReleaseRequest(
        stack,
        wanted.folder,
        copy.tag,
        dict(copy.images),
        command="berth rehearse ship",
        verified=copy,
        despite=wanted.despite,
        is_closed=wanted.is_closed,
        overlay=copy.overlay,
        told=await pushed_again(outside, copy),
    )
    again = f"berth rehearse finish {stack}, then berth rehearse {stack}"
    if live.number != copy.rehearses.release:
        raise NotAllowed(
            f"{stack} ran r{copy.rehearses.release} when it was rehearsed, and runs {live.label} "
            "now: what was compared is not what is there",
            next_command=again,
        )
    refuse_changed_inputs(outside, request)
    if fingerprint_of(outside, request) != copy.rehearses.fingerprint:
        raise NotAllowed(
            f"the configuration of {stack} has changed since it was rehearsed: an .env file, a "
            "secret, or a site",
            next_command=again,
        )
    _refuse_uncompared(outside, request, copy)
    if wanted.despite is None:
        spec = read_spec(outside, request.folder, copy.stack, request.overlay)
        refuse_unannounced(outside, stack, request.folder, spec.rehearsal)
    return request


def _refuse_uncompared(outside: Outside, request: ReleaseRequest, copy: Release) -> None:
    found = outside.store.judgements(copy.stack.app, artifact=copy.artifact)
    last = judging.last_look(found, copy.stack, copy.artifact)
    stack = request.stack
    compare = f"berth rehearse compare {stack}"
    if last is None or last.deployment is not None:  # it was killed before it was compared
        raise NotAllowed(f"{copy.stack} was not compared with {stack}", next_command=compare)
    if judging.verification(found, copy.stack, copy.artifact) is None:
        raise NotAllowed(
            f"{copy.stack} is not what {stack} is: {last.why} ({last.at:%Y-%m-%d %H:%M} UTC)",
            next_command=f"mend it, or {compare} when it was mended outside",
        )
    spec = read_spec(outside, request.folder, copy.stack, request.overlay)
    fresh = timedelta(seconds=spec.rehearsal.fresh_seconds)
    if outside.clock.now() - last.at > fresh:
        raise NotAllowed(
            f"{copy.stack} was compared on {last.at:%Y-%m-%d %H:%M} UTC: that is too long ago",
            next_command=compare,
        )
