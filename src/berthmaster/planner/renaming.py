"""A release's images under other names: an archive carries an image, but not its registry digest.

On a server that got its images from a backup they are known by their ids. Pure.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from berthmaster.domain.release import Release, ReleaseService


def with_images_named(release: Release, names: Mapping[str, str]) -> Release:
    """The same release, running each image in `names` by the name given there."""
    return replace(
        release,
        services=tuple(_service(item, names) for item in release.services),
        model=_model(release.model, names),
        state_model=_model(release.state_model, names),
    )


def _service(service: ReleaseService, names: Mapping[str, str]) -> ReleaseService:
    pin = service.image
    if pin is None or pin.runs_as not in names:
        return service
    return replace(service, image=replace(pin, runs_as=names[pin.runs_as]))


def _model(model: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    services = {
        key: {**item, "image": names.get(item["image"], item["image"])} if "image" in item else item
        for key, item in (model.get("services") or {}).items()
    }
    return {**model, "services": services}
