"""What makes an artifact, and what differs between two of them; pure.

An artifact is revision, Compose inputs, image digests and sites: what is the same in every
environment and is promoted, verified and rejected. An environment's own settings, secrets and hosts
belong to its release, and state services outlive both; none of them is part of it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping

from berthmaster.domain.release import FileCopy, ImagePin, Release, ReleaseService
from berthmaster.domain.spec import Role

_STAYS = (Role.STATE, Role.REPLACED)


def address_of(
    revision: str | None,
    inputs: Mapping[str, str],
    images: Mapping[str, str],
    sites: Mapping[str, str],
) -> str:
    """The content address of an artifact: the same for the same contents, whatever the order."""
    facts = {"revision": revision, "inputs": inputs, "images": images, "sites": sites}
    plain = {key: dict(item) if isinstance(item, Mapping) else item for key, item in facts.items()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def images_in(services: Iterable[ReleaseService]) -> dict[str, str]:
    """What each image reference runs as, of all services that a release brings along.

    By reference and not by service: environments may run an image in more services or fewer.
    """
    return {pin.reference: pin.runs_as for pin in pins_in(services).values()}


def pins_in(services: Iterable[ReleaseService]) -> dict[str, ImagePin]:
    """The pins by reference of all services that a release brings along."""
    return {
        item.image.reference: item.image
        for item in services
        if item.image and item.role not in _STAYS
    }


def sites_in(files: Iterable[FileCopy]) -> dict[str, str]:
    """The content of each site."""
    return {
        item.target.partition("/")[2]: item.digest
        for item in files
        if item.target.startswith("sites/")
    }


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """What became of each name: `compose.yaml changed`, `x.conf is new`, `y.conf is gone`."""
    found = []
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            found.append(f"{name} is gone")
        elif name not in old:
            found.append(f"{name} is new")
        elif old[name] != new[name]:
            found.append(f"{name} changed")
    return tuple(found)


def differences(
    verified: Release, inputs: Mapping[str, str], sites: Mapping[str, str]
) -> list[str]:
    """What the folder has otherwise than the artifact of a release; empty when it fits."""
    found = list(changes(verified.inputs, inputs))
    return found + [f"site {text}" for text in changes(sites_in(verified.files), sites)]
