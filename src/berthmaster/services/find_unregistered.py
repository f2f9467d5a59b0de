"""Which images of a stack no registry has: whoever asks for a deploy from afar may bring them."""

import asyncio

from berthmaster.domain.errors import BerthmasterError, OutsideError
from berthmaster.domain.spec import Role
from berthmaster.ports.outside import Outside
from berthmaster.services.render_model import ReleaseRequest, render_model


async def find_unregistered(outside: Outside, request: ReleaseRequest) -> dict[str, str]:
    """By reference the id of the local image, empty without one.

    What is wrong with the files is told by the command itself: here they then need no image.
    """
    try:
        rendering = await render_model(outside, request, is_lenient=True)
    except BerthmasterError:
        return {}
    names = [item.service for item in rendering.decisions if item.role is not Role.REPLACED]
    found = {str(rendering.model["services"][name].get("image") or "") for name in names}
    wanted = sorted(one for one in found if one and "@sha256:" not in one)
    are_there = await asyncio.gather(*(_is_registered(outside, one) for one in wanted))
    missing = [one for one, is_there in zip(wanted, are_there, strict=True) if not is_there]
    try:
        local = await asyncio.gather(*(outside.runtime.image(one) for one in missing))
    except OutsideError:  # an engine that does not answer takes no image, either
        return {}
    return {one: image.id if image else "" for one, image in zip(missing, local, strict=True)}


async def _is_registered(outside: Outside, reference: str) -> bool:
    try:
        return await outside.registry.digest(reference) is not None
    except OutsideError:
        return False
