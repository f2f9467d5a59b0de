"""Which artifact a release runs: a new one by its contents, or exactly the one that is promoted.

A promotion names no tag: it brings the pins of the release that was verified, and is refused when
the folder, an image or a site is not what that release was made of.
"""

from dataclasses import dataclass

from berthmaster.domain.errors import NotAllowed
from berthmaster.domain.release import FileCopy, ImagePin, Release, ReleaseService
from berthmaster.domain.spec import Role
from berthmaster.planner import artifact
from berthmaster.ports.outside import Outside
from berthmaster.services.render_model import ReleaseRequest, Rendering
from berthmaster.services.tenant_spec import overlaid, overlay_of

SHOWN = 12  # digits of an artifact that people are shown
_STAYS = (Role.STATE, Role.REPLACED)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a release's record says of its artifact."""

    artifact: str
    revision: str | None
    inputs: dict[str, str]


def promoted_pins(request: ReleaseRequest, rendering: Rendering) -> dict[str, ImagePin]:
    """The verified pin of every service that the release brings; empty without a promotion.

    Raises `NotAllowed` for a service whose image the verified release did not run.
    """
    verified = request.verified
    if verified is None:
        return {}
    known = artifact.pins_in(verified.services)
    found = {}
    for item in rendering.decisions:
        if item.role in _STAYS:
            continue
        reference = rendering.model["services"][item.service].get("image", "")
        if reference not in known:
            raise NotAllowed(
                f"{request.stack} runs {reference} for {item.service}, and {verified.stack} "
                f"verified {', '.join(sorted(known)) or 'no image'}",
                next_command=f"berth diff {verified.stack.environment} {request.stack.environment}",
            )
        found[item.service] = known[reference]
    return found


def identify(
    outside: Outside,
    request: ReleaseRequest,
    rendering: Rendering,
    services: tuple[ReleaseService, ...],
    files: tuple[FileCopy, ...],
) -> Identity:
    """The artifact of a release; raises `NotAllowed` when it is not the one to be promoted."""
    inputs = _inputs(outside, request)
    sites = artifact.sites_in(files)
    verified = request.verified
    if verified is not None:
        _refuse_other_inputs(request, verified, artifact.differences(verified, inputs, sites))
        return Identity(verified.artifact, verified.revision, inputs)
    revision = outside.specs.revision(request.folder)
    images = artifact.images_in(services)
    return Identity(artifact.address_of(revision, inputs, images, sites), revision, inputs)


def refuse_changed_inputs(outside: Outside, request: ReleaseRequest) -> None:
    """Raise `NotAllowed`, before anything is asked, when the folder is not what was verified."""
    verified = request.verified
    if verified is None:
        return
    if not verified.inputs:
        raise NotAllowed(
            f"{verified.stack} {verified.label} was made by an older berth, which kept no record "
            "of its files",
            next_command=_again(verified),
        )
    inputs = _inputs(outside, request)
    _refuse_other_inputs(request, verified, list(artifact.changes(verified.inputs, inputs)))


def _inputs(outside: Outside, request: ReleaseRequest) -> dict[str, str]:
    """Hashes of the files, and which services of an overlay take others' places."""
    read = outside.specs.read(request.folder)
    overlay = overlay_of(outside, read, request.stack, request.overlay)
    spec = overlaid(read, request.stack.environment, overlay)
    places = {f"map {name}={other}": "" for name, other in overlay.renames.items()}
    return {**outside.specs.artifact_inputs(spec), **places}


def _refuse_other_inputs(request: ReleaseRequest, verified: Release, found: list[str]) -> None:
    if found:
        raise NotAllowed(
            f"{request.folder} is not what {verified.stack} verified as artifact "
            f"{verified.artifact[:SHOWN]} ({verified.label}): {'; '.join(found)}",
            next_command=_again(verified),
        )


def _again(verified: Release) -> str:
    tag = f" --tag {verified.tag}" if verified.tag else ""
    return f"berth deploy {verified.stack}{tag}  (then promote again)"
