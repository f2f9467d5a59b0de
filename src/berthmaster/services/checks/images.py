"""Checks of images: found, resolved, fit for this machine."""

from berthmaster.domain import checks
from berthmaster.domain.check import Check
from berthmaster.services.checks.facts import CheckFacts
from berthmaster.services.pin_images import pin_images


async def check_images(facts: CheckFacts) -> list[Check]:
    """Resolve every image as a deploy would."""
    rendering = facts.rendering
    pinned = await pin_images(facts.outside, rendering.model, rendering.decisions)
    notes = [checks.IMAGES.note(text) for text in pinned.notes]
    return [checks.IMAGES.ok(f"{len(pinned.pins)} resolved"), *notes]
