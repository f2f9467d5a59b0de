"""What differs between a state service as it runs and as the files now say it (D9).

Pure. Values of the environment and contents of secrets are compared as hashes made by the caller;
only names are ever told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from berthmaster.domain.release import ImagePin, Release
from berthmaster.planner import composemodel as compose

_OWN_WORDS: Final = frozenset({"image", "environment", "volumes", "pull_policy"})
_PLACEHOLDER: Final = "{{secret "


@dataclass(frozen=True, slots=True)
class StateDefinition:
    """All that says how a state service runs; secrets as hashes."""

    image: ImagePin | None
    model: Mapping[str, Any]  # of its service, rendered
    environment: Mapping[str, str] = field(repr=False)  # name -> hash of the value
    files: Mapping[str, str] = field(repr=False)  # target -> hash of the content
    folders: tuple[str, ...]  # its files are bound from one of these

    @property
    def data(self) -> frozenset[tuple[str, str]]:
        """Where it may write: (volume or folder, path inside the container)."""
        return frozenset(
            (mount.source, mount.target)
            for mount in compose.mounts_of(self.model)
            if not mount.is_read_only and mount.kind in ("volume", "bind") and mount.source
        )


def definition_of(
    release: Release,
    name: str,
    *,
    environment: Mapping[str, str],
    secrets: Mapping[str, str],
    folders: tuple[str, ...],
) -> StateDefinition | None:
    """The definition in a release's record; None when it has no such state service.

    `environment` and `secrets` are hashes by name and by target.
    """
    model = release.state_model["services"].get(name)
    if model is None:
        return None
    pin = next((item.image for item in release.services if item.name == name), None)
    files = {item.target: secrets.get(item.target, item.digest) for item in release.files}
    return StateDefinition(pin, model, environment, files, folders)


def differences(old: StateDefinition, new: StateDefinition) -> tuple[str, ...]:
    """What differs, in words without values: `image postgres:15 -> postgres:16`, `command`."""
    found = [*_image(old.image, new.image)]
    keys = sorted((old.model.keys() | new.model.keys()) - _OWN_WORDS)
    found += [key for key in keys if old.model.get(key) != new.model.get(key)]
    names = sorted(old.environment.keys() | new.environment.keys())
    changed = [key for key in names if old.environment.get(key) != new.environment.get(key)]
    if changed:
        found.append("environment " + ", ".join(_plain(name) for name in changed))
    if old.data != new.data:
        found.append("volumes")
    found += [f"file {target}" for target in _files(old, new)]
    return tuple(found)


def lost_data(old: StateDefinition, new: StateDefinition, anonymous: tuple[str, ...]) -> str:
    """What of its data the changed service would not see, in words; empty when it sees all.

    `anonymous` are the paths for which the old image asks for a volume of its own.
    """
    if gone := sorted(old.data - new.data):
        source, target = gone[0]
        return f"what it keeps in {source} is no longer mounted at {target}"
    targets = [mount.target.rstrip("/") for mount in compose.mounts_of(old.model)]
    for path in anonymous:
        if not any(f"{path}/".startswith(f"{target}/") for target in targets):
            return f"what it keeps at {path} is in no named volume and goes with its container"
    return ""


def _image(old: ImagePin | None, new: ImagePin | None) -> list[str]:
    if old is None or new is None or old.runs_as == new.runs_as:
        return []
    if old.reference == new.reference:
        return [f"image {new.reference} has new contents"]
    return [f"image {old.reference} -> {new.reference}"]


def _plain(name: str) -> str:
    return name.removeprefix(_PLACEHOLDER).removesuffix("}}")


def _files(old: StateDefinition, new: StateDefinition) -> list[str]:
    """Targets that one of the two binds and that are not the same in the other."""
    before, after = _bound(old), _bound(new)
    return sorted(
        target for target in before.keys() | after.keys() if before.get(target) != after.get(target)
    )


def _bound(definition: StateDefinition) -> dict[str, str]:
    bound = {}
    for mount in compose.mounts_of(definition.model):
        target = mount.source
        for folder in definition.folders:
            target = target.removeprefix(f"{folder}/")
        if mount.is_read_only:
            bound[target] = f"{definition.files.get(target, '')} at {mount.target}"
    return bound
