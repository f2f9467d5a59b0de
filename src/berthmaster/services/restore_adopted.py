"""An adopted stack on a server where its project never ran: it becomes a stack like any other.

The containers that were adopted are gone with the lost server, and nobody but their owner may make
them again. What they ran is rendered from the app's folder and runs in containers of Berthmaster's
own, by the same images, over the same volumes. Changes records only, and makes volumes.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

from berthmaster.domain.container import LABEL_STACK
from berthmaster.domain.names import StackId
from berthmaster.domain.release import ADOPTED, ImagePin, Release, ReleaseService
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.spec import Role
from berthmaster.engine.lease import hold
from berthmaster.ports.outside import Outside
from berthmaster.services.deploy import give_back
from berthmaster.services.pin_images import PinnedImages
from berthmaster.services.prepare_release import render_record
from berthmaster.services.render_model import ReleaseRequest, Rendering, render_model

COMMAND: Final = "berth server restore"
_ANY_TAG: Final = "0"  # the images that ran are taken, whatever the files would take


async def make_own(outside: Outside, stack: StackId) -> str | None:
    """Give an adopted stack a release of its own; returns what to tell, None for any other stack.

    Done already is no error.
    """
    adopted = outside.store.release(stack, ADOPTED)
    record = outside.store.stack(stack)
    if adopted is None or not adopted.adopted_from or record is None or record.live is None:
        return None
    async with hold(outside.store, str(stack), what=COMMAND) as lease:
        live = outside.store.release(stack, record.live)
        is_new = live is None or live.number == ADOPTED
        if live is None or is_new:
            live = await _rendered(outside, adopted)
        for name in sorted(adopted.volume_names.values()):
            await outside.runtime.create_volume(name, {LABEL_STACK: str(stack)})
        with outside.store.transaction():
            if is_new:
                outside.store.add_release(live)
            _replace(outside, adopted, live, lease.fence)
    return (
        f"{stack}: the project {adopted.adopted_from} is gone with its server; {live.label} runs"
        " what it ran, in containers of Berthmaster's own"
    )


def _replace(outside: Outside, adopted: Release, live: Release, fence: int) -> None:
    """All records say so, or none."""
    store, stack = outside.store, adopted.stack
    store.set_release_state(stack, ADOPTED, ReleaseState.RETIRED)
    store.mark_live(stack, live.number, old=None, warm_until=None, fence=fence)
    for item in store.releases(stack):
        known = store.release(stack, item.number)
        if known is not None and known.number != ADOPTED and _with_own_names(known) != known:
            store.rewrite_release(_with_own_names(known))
    applied = store.applied_states(stack)
    names = tuple(name for name, number in applied.items() if number == ADOPTED)
    store.record_states(stack, live.number, names, fence=fence)
    store.remove_release(stack, ADOPTED)
    give_back(outside, stack, ADOPTED)


async def _rendered(outside: Outside, adopted: Release) -> Release:
    """What ran, as a release that can be started: by the files, with the images that ran."""
    stack, folder = adopted.stack, Path(adopted.folder)
    request = ReleaseRequest(stack, folder, tag=adopted.tag, command=COMMAND)
    spec = outside.specs.read(folder)
    if request.tag is None and outside.specs.versioned_services(spec, stack.environment):
        request = replace(request, tag=_ANY_TAG)
    rendering = _as_it_ran(await render_model(outside, request), adopted)
    pinned = await _pinned(outside, rendering, adopted)
    number = outside.store.next_release_number(stack)
    release = await render_record(outside, request, rendering, pinned, number, with_files=True)
    return replace(
        _with_own_names(release),
        artifact=adopted.artifact,
        fingerprint=adopted.fingerprint,  # the next deploy is never one without a change
        volume_names=adopted.volume_names,
    )


def _as_it_ran(rendering: Rendering, adopted: Release) -> Rendering:
    """As many replicas as there were, and nothing besides that never ran."""
    counts = {item.name: len(item.containers) for item in adopted.services if item.containers}
    there = rendering.environment
    environment = replace(there, replicas={**there.replicas, **counts})
    environments = {**rendering.spec.environments, environment.name: environment}
    spec = replace(rendering.spec, environments=environments, jobs=(), sites=(), smoke=())
    return replace(rendering, spec=spec, environment=environment)


async def _pinned(outside: Outside, rendering: Rendering, adopted: Release) -> PinnedImages:
    services = rendering.model["services"]
    pins, users = {}, {}
    for item in adopted.services:
        if item.image is None or item.name not in services:
            continue
        reference = str(services[item.name].get("image") or item.image.reference)
        pins[item.name] = ImagePin(reference, item.image.runs_as, item.image.image_id)
        image = await outside.runtime.image(item.image.runs_as)
        users[item.name] = image.user if image else ""
    return PinnedImages(pins, users, ())


def _with_own_names(release: Release) -> Release:
    """State services in containers of the stack's own, instead of those that were adopted."""
    services = tuple(_own(release.stack, item) for item in release.services)
    return replace(release, services=services)


def _own(stack: StackId, service: ReleaseService) -> ReleaseService:
    if service.role is not Role.STATE:
        return service
    return replace(service, containers=(f"{stack.project}-{service.name}-1",))
