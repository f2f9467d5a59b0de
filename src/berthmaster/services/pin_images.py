"""Resolves every image of a stack to what it is, once: the digest in its registry, or the local id.

The registry's answer wins over a local copy of the same tag, which may be old. An image that no
registry knows (built here) runs by its local id, which is a content address too; a note says so.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from berthmaster.domain.errors import ImageNotFound, OutsideError
from berthmaster.domain.release import ImagePin
from berthmaster.domain.spec import Role
from berthmaster.planner.roles import RoleDecision
from berthmaster.ports.outside import Outside


@dataclass(frozen=True, slots=True)
class PinnedImages:
    """Pins by service, the users the images run as, and what to tell."""

    pins: Mapping[str, ImagePin]
    users: Mapping[str, str]
    notes: tuple[str, ...]


async def pin_images(
    outside: Outside,
    model: Mapping[str, Any],
    decisions: tuple[RoleDecision, ...],
    running_state: Mapping[str, ImagePin] | None = None,
    *,
    may_pull: bool = True,
) -> PinnedImages:
    """Pin the image of every service that may run; raises `ImageNotFound` when nobody has one.

    An image is brought here at once when a service mounts secrets and only the image knows its
    user, if it may be pulled. `running_state` holds the pins of state services that run: a release
    does not change them, so no registry is asked again for the same reference.
    """
    running = [item.service for item in decisions if item.role is not Role.REPLACED]
    references = {name: model["services"][name].get("image", "") for name in running}
    kept = {
        name: pin
        for name, pin in (running_state or {}).items()
        if references.get(name) == pin.reference
    }
    wanted = sorted({ref for name, ref in references.items() if ref and name not in kept})
    resolved = await asyncio.gather(*(_pin(outside, reference) for reference in wanted))
    by_reference = dict(zip(wanted, resolved, strict=True))
    fresh = {name: by_reference[ref][0] for name, ref in references.items() if ref in by_reference}
    pins = {**fresh, **kept}
    notes = tuple(sorted({note for _, note in by_reference.values() if note}))
    return PinnedImages(pins, await _users(outside, model, pins, may_pull), notes)


async def _pin(outside: Outside, reference: str) -> tuple[ImagePin, str]:
    local = await outside.runtime.image(reference)
    if "@sha256:" in reference:
        return ImagePin(reference, _without_tag(reference), local.id if local else ""), ""
    try:
        digest = await outside.registry.digest(reference)
    except OutsideError as error:
        if local is None:
            raise
        note = f"{reference}: {error.subject} does not answer; the local image is used"
        return _local(reference, local.id), note
    if digest is not None:
        name = _repository(reference)
        runs_as = f"{name}@{digest}"
        here = await outside.runtime.image(runs_as)
        return ImagePin(reference, runs_as, here.id if here else ""), ""
    if local is None:
        raise ImageNotFound(
            f"{reference} is in no registry and not on this server",
            subject=reference,
            next_command="berth build, or check the tag",
        )
    return _local(reference, local.id), f"{reference} is in no registry; it runs by its local id"


def _local(reference: str, image_id: str) -> ImagePin:
    return ImagePin(reference, image_id, image_id)


async def _users(
    outside: Outside, model: Mapping[str, Any], pins: Mapping[str, ImagePin], may_pull: bool
) -> dict[str, str]:
    users = {}
    for name, pin in pins.items():
        image = await outside.runtime.image(pin.runs_as)
        service = model["services"][name]
        is_needed = image is None and service.get("secrets") and not service.get("user")
        if is_needed and may_pull:
            await outside.runtime.pull(pin.runs_as)
            image = await outside.runtime.image(pin.runs_as)
        if image is not None:
            users[name] = image.user
    return users


def _repository(reference: str) -> str:
    """`registry:5000/name:tag` without its tag; a colon before the last slash is a port."""
    head, slash, last = reference.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _without_tag(reference: str) -> str:
    """`name:tag@sha256:...` as the engine wants it: without the tag."""
    name, _, digest = reference.partition("@")
    return f"{_repository(name)}@{digest}"
