"""Checks of images: found, resolved, fit for this machine, with a healthcheck that can run.

An image that is not here yet is asked about in its registry and is never pulled for a check.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from berthmaster.domain import checks
from berthmaster.domain.check import Check
from berthmaster.domain.container import Image
from berthmaster.domain.release import ImagePin
from berthmaster.domain.spec import Role
from berthmaster.planner import composemodel as compose
from berthmaster.planner import healthrules
from berthmaster.ports.registry import RemoteImage
from berthmaster.services.checks.facts import CheckFacts
from berthmaster.services.pin_images import PinnedImages, pin_images

UNPACKED: Final = 3  # times the compressed size: layers and what they become, side by side


async def check_images(facts: CheckFacts) -> list[Check]:
    """Resolve every image as a deploy would."""
    if not facts.environment.is_strict:
        return await _built_here(facts)
    pinned = await _pinned(facts)
    notes = [checks.IMAGES.note(text) for text in pinned.notes]
    return [checks.IMAGES.ok(f"{len(pinned.pins)} resolved"), *notes]


async def _built_here(facts: CheckFacts) -> list[Check]:
    """A developer's images are built, not pulled: what cannot be found is not there yet."""
    services = compose.services_of(facts.rendering.model)
    missing = [
        name
        for name, service in services.items()
        if service.get("build")
        and service.get("image")
        and await facts.local_image(str(service["image"])) is None
    ]
    if missing:
        evidence = f"not built yet: {', '.join(missing)}"
        return [checks.IMAGES.note(evidence, "berth dev up builds them")]
    return [checks.IMAGES.ok("what is built here is here")]


async def check_architecture(facts: CheckFacts) -> list[Check]:
    """Every image is for the engine's own architecture."""
    pinned, engine = await asyncio.gather(_pinned(facts), facts.outside.runtime.version())
    found = []
    for name, pin in sorted(pinned.pins.items()):
        local = await facts.local_image(pin.runs_as)
        if local is not None:
            known: tuple[str, ...] = (local.architecture,)
        else:
            remote = await _remote(facts, pin)
            known = remote.architectures if remote else ()
        if not any(known):
            found.append(checks.ARCHITECTURE.unknown(f"{name}: {pin.reference} does not say"))
        elif engine.architecture not in known:
            evidence = (
                f"{name}: {pin.reference} is for {', '.join(known)}, not {engine.architecture}"
            )
            found.append(checks.ARCHITECTURE.failed(evidence))
    good = f"every image is there for {engine.architecture}"
    return found or [checks.ARCHITECTURE.ok(good)]


async def check_image_space(facts: CheckFacts) -> list[Check]:
    """What must be pulled fits onto the disk above its floor."""
    pinned = await _pinned(facts)
    sizes: dict[str, int] = {}
    for pin in pinned.pins.values():
        if await facts.local_image(pin.runs_as) is None:
            remote = await _remote(facts, pin)
            sizes[pin.runs_as] = remote.size_bytes if remote else 0
    outside = facts.outside
    disk = outside.host.disk(outside.state_folder)
    floor = disk.total_bytes * outside.disk_floor_percent // 100
    need, left = UNPACKED * sum(sizes.values()), disk.free_bytes - floor
    what = f"{len(sizes)} images to pull need about {_shown(need)}"
    if need > left:
        evidence = f"{what}; {_shown(max(left, 0))} are free above the floor"
        return [checks.IMAGE_SPACE.failed(evidence)]
    return [checks.IMAGE_SPACE.ok(what if sizes else "no image must be pulled")]


async def check_healthcheck(facts: CheckFacts) -> list[Check]:
    """Every app service that runs for long has a healthcheck."""
    found = []
    for name in _long_running(facts):
        service = compose.services_of(facts.rendering.model)[name]
        image = await _image_of(facts, name)
        if healthrules.test_of(service, image):
            continue
        if image is None and not service.get("healthcheck"):
            text = f"{name}: its image is not here, and the files name none"
            found.append(checks.HEALTHCHECK.unknown(text))
        else:
            found.append(checks.HEALTHCHECK.failed(f"{name} has no healthcheck"))
    return found or [checks.HEALTHCHECK.ok("every app service has one")]


async def check_healthcheck_tool(facts: CheckFacts) -> list[Check]:
    """The programs that healthchecks start are in their images."""
    answers = await asyncio.gather(*(_tools(facts, name) for name in _running(facts)))
    found = [answer for some in answers for answer in some]
    return found or [checks.HEALTHCHECK_TOOL.ok("every healthcheck's program is in its image")]


async def _tools(facts: CheckFacts, name: str) -> list[Check]:
    image = await _image_of(facts, name)
    test = healthrules.test_of(compose.services_of(facts.rendering.model)[name], image)
    wanted = healthrules.programs_of(test)
    if not wanted:
        return []
    if image is None:
        text = f"{name}: its image is not here; {', '.join(wanted)} cannot be looked for"
        return [checks.HEALTHCHECK_TOOL.unknown(text)]
    runtime, image_id = facts.outside.runtime, image.id
    there = await facts.answers.once(
        ("programs", image_id, *wanted), lambda: runtime.find_programs(image_id, wanted)
    )
    missing = [program for program in wanted if program not in there]
    if not missing:
        return []
    evidence = f"{name}: its healthcheck starts {', '.join(missing)}, which its image does not have"
    return [checks.HEALTHCHECK_TOOL.failed(evidence)]


async def _pinned(facts: CheckFacts) -> PinnedImages:
    rendering = facts.rendering

    async def ask() -> PinnedImages:
        return await pin_images(facts.outside, rendering.model, rendering.decisions, may_pull=False)

    return await facts.answers.once(("pins", str(facts.stack)), ask)


async def _remote(facts: CheckFacts, pin: ImagePin) -> RemoteImage | None:
    """What the registry says of exactly the digest that would run."""
    outside, engine = facts.outside, await facts.outside.runtime.version()

    async def ask() -> RemoteImage | None:
        return await outside.registry.describe(pin.runs_as, engine.architecture)

    return await facts.answers.once(("remote", pin.runs_as), ask)


async def _image_of(facts: CheckFacts, name: str) -> Image | None:
    pins: Mapping[str, ImagePin] = {}
    if facts.environment.is_strict:
        pins = (await _pinned(facts)).pins
    written = str(compose.services_of(facts.rendering.model)[name].get("image") or "")
    return await facts.local_image(pins[name].runs_as if name in pins else written)


def _running(facts: CheckFacts) -> list[str]:
    decisions = facts.rendering.decisions
    return [item.service for item in decisions if item.role not in (Role.REPLACED, Role.JOB)]


def _long_running(facts: CheckFacts) -> list[str]:
    return [item.service for item in facts.rendering.decisions if item.role.is_app_service]


def _shown(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
