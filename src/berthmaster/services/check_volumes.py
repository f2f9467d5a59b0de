"""No two stacks may write where a state service keeps its data; only external volumes are shared.

Own volumes carry their stack's name, so records of other stacks are read only when a release mounts
a volume that is not its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from berthmaster.domain.errors import NotAllowed
from berthmaster.domain.release import Release
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.planner import composemodel as compose
from berthmaster.ports.outside import Outside


@dataclass(frozen=True, slots=True)
class Writer:
    """A service that may write a volume."""

    stack: str
    service: str
    volume: str
    is_state: bool


def refuse_shared_data(outside: Outside, release: Release) -> None:
    """Raise `NotAllowed` for a volume that another stack writes too, when it holds state."""
    own = set(release.volumes)
    mine = [item for item in _writers(release) if item.volume not in own]
    if not mine:
        return
    wanted = {item.volume: item for item in sorted(mine, key=lambda item: item.is_state)}
    for other in _others(outside, release):
        for writer in _writers(other):
            here = wanted.get(writer.volume)
            if here is not None and (here.is_state or writer.is_state):
                owner = writer.service if writer.is_state else here.service
                raise NotAllowed(
                    f"{release.stack}: {here.service} may write volume {writer.volume}, and so may "
                    f"{writer.service} of {writer.stack}; {owner} keeps its data in it",
                    next_command="mount it with `read_only: true`, or name another volume",
                )


def _others(outside: Outside, release: Release) -> Iterator[Release]:
    states = (ReleaseState.LIVE, ReleaseState.WARM, ReleaseState.STATE)
    for item in outside.store.releases_in(*states):
        if item.stack != release.stack:
            found = outside.store.release(item.stack, item.number)
            if found is not None:
                yield found


def _writers(release: Release) -> Iterator[Writer]:
    stack = str(release.stack)
    for model, is_state in ((release.model, False), (release.state_model, True)):
        names = {
            key: str((item or {}).get("name") or key)
            for key, item in (model.get("volumes") or {}).items()
        }
        for service, definition in (model.get("services") or {}).items():
            for mount in compose.mounts_of(definition):
                if mount.kind == "volume" and mount.source and not mount.is_read_only:
                    volume = names.get(mount.source, mount.source)
                    yield Writer(stack, service, volume, is_state)
