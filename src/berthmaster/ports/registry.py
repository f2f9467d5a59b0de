"""Image registries, for resolving a tag to the digest behind it."""

from typing import Protocol


class Registry(Protocol):
    """Asks by HEAD (which registries do not count against pull limits)."""

    async def digest(self, reference: str) -> str | None:
        """`sha256:...` behind `name:tag`; None when there is no such tag.

        Raises `OutsideError` when the registry does not answer.
        """
        ...
