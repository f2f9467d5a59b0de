"""Where backups of the server lie, and what of the Docker Engine goes into them."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from berthmaster.domain.backup import Copy, Saved


class Backups(Protocol):
    """A repository of encrypted copies under one escrow code; equal contents are kept once.

    Every call raises `OutsideError` when the target does not answer, does not take what is
    written, or holds copies of another code. Only one server may write to a repository.
    """

    async def prepare(self) -> str | None:
        """Make code and repository where there are none; returns a code nobody was told yet."""
        ...

    def code_was_told(self) -> None:
        """Never return it from `prepare` again."""
        ...

    def use(self, code: str) -> None:
        """Open with this code."""
        ...

    def keep_code(self) -> None:
        """Keep the code on this machine for the backups to come, readable by root only."""
        ...

    async def copies(self) -> tuple[Copy, ...]:
        """Every copy, oldest first."""
        ...

    async def save(self, copy: Copy, paths: Sequence[Path], excluded: Sequence[Path]) -> Saved:
        """Save files and folders; `copy` says what it is, its id is given here.

        Appears whole or not at all: a file that could not be read raises `OutsideError` naming it.
        """
        ...

    async def save_stream(self, copy: Copy, chunks: AsyncIterator[bytes]) -> Saved:
        """Save what comes as one file."""
        ...

    async def read(self, copy_id: str, path: str) -> bytes:
        """One small file of a copy."""
        ...

    async def extract(self, copy_id: str, source: str, into: Path) -> None:
        """Write a saved folder's contents, with owners and modes, into `into`; what is there
        otherwise stays."""
        ...

    def stream(self, copy_id: str) -> AsyncIterator[bytes]:
        """What `save_stream` saved."""
        ...

    async def check(self) -> tuple[str, ...]:
        """Read everything in the target again; a line for each damaged file of it."""
        ...

    async def forget(self, copy_ids: Sequence[str]) -> None:
        """Remove copies and what only they needed; also what killed backups left."""
        ...


class EngineData(Protocol):
    """Images as archives, and where volumes lie. Raises `OutsideError`."""

    def image_archive(self, reference: str) -> AsyncIterator[bytes]:
        """The image as `docker save` gives it."""
        ...

    async def load_image(self, chunks: AsyncIterator[bytes]) -> None:
        """Bring an archive to the engine; one that is there is no error."""
        ...

    async def name_image(self, image_id: str, tag: str) -> None:
        """Give an image that is there a name, `repository:tag`."""
        ...

    async def volume_folder(self, name: str) -> Path | None:
        """Where a volume's files lie on this machine; None for one that is not there."""
        ...

    async def gateway_images(self) -> tuple[str, ...]:
        """Names of the images that router and edge run from."""
        ...
