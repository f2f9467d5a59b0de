"""Image registries, for resolving a tag to the digest behind it."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """What a registry tells of an image that is not here."""

    architectures: tuple[str, ...]  # as Docker names them: amd64, arm64
    size_bytes: int  # of what would be pulled for the wanted architecture, compressed


class Registry(Protocol):
    """Asks by HEAD (which registries do not count against pull limits)."""

    async def digest(self, reference: str) -> str | None:
        """`sha256:...` behind `name:tag`; None when there is no such tag.

        Raises `OutsideError` when the registry does not answer.
        """
        ...

    async def describe(self, reference: str, architecture: str) -> RemoteImage | None:
        """For which machines an image is, and its size for this one; None when there is none.

        Asks by GET, which registries may count: only for images that are not here. Raises
        `OutsideError` as `digest` does.
        """
        ...
