"""Which release a person means who names it by the tag it was built with; changes nothing."""

from typing import Final

from berthmaster.domain.errors import NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.release import ReleaseState
from berthmaster.ports.outside import Outside

_SERVED: Final = (ReleaseState.LIVE, ReleaseState.WARM, ReleaseState.RETIRED)


def release_of_tag(outside: Outside, stack: StackId, tag: str) -> int:
    """The number of the release that serves with this tag, else of the newest that served.

    Raises `NotFound` when no kept one did.
    """
    kept = [item for item in outside.store.releases(stack) if item.state in _SERVED]
    kept.sort(key=lambda item: item.state is not ReleaseState.LIVE)
    for item in kept:
        if item.tag == tag:
            return item.number
    raise NotFound(
        f"{stack} keeps no release of tag {tag} that served",
        next_command=f"berth releases {stack}",
    )
