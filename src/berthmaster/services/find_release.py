"""Which release a person means who names it by the tag it was built with; changes nothing."""

from typing import Final

from berthmaster.domain.errors import NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.ports.outside import Outside

SHORTEST_BEGIN: Final = 7  # characters, as git abbreviates a commit
_SERVED: Final = (ReleaseState.LIVE, ReleaseState.WARM, ReleaseState.RETIRED)


def release_of_tag(outside: Outside, stack: StackId, tag: str) -> int:
    """The number of the release that serves with this tag, else of the newest that served.

    The beginning of a commit is enough. Raises `NotFound` when no kept one did, or several begin
    so.
    """
    kept = [item for item in outside.store.releases(stack) if item.state in _SERVED]
    kept.sort(key=lambda item: item.state is not ReleaseState.LIVE)
    begun = {item.tag for item in kept if item.tag and _is_begin(tag, item.tag)}
    if tag not in begun and len(begun) > 1:
        raise NotFound(
            f"{stack} has {len(begun)} tags that begin with {tag}: write more of it",
            next_command=f"berth releases {stack} --json",
        )
    wanted = tag if tag in begun else next(iter(begun), None)
    for item in kept:
        if wanted is not None and item.tag == wanted:
            return item.number
    raise NotFound(
        f"{stack} keeps no release of tag {tag} that served",
        next_command=f"berth releases {stack}",
    )


def _is_begin(text: str, tag: str) -> bool:
    return text == tag or (len(text) >= SHORTEST_BEGIN and tag.startswith(text))
