"""The backups port in memory: copies are dictionaries, made from real files and written as such."""

import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

from berthmaster.domain.backup import Copy, Saved
from berthmaster.domain.errors import OutsideError
from berthmaster.testing.world import FakeEngine

CODE = "-".join(["ABCDE"] * 8)


@dataclass(slots=True)
class FakeRepository:
    """What lies at the target; a second `FakeBackups` over it is another server."""

    code: str = ""
    copies: dict[str, Copy] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)  # copy -> path -> content
    modes: dict[str, int] = field(default_factory=dict)  # by path, as it was saved last
    chunks: set[bytes] = field(default_factory=set)  # contents that were ever written
    damaged: set[str] = field(default_factory=set)  # paths, or ids of images


class FakeBackups:
    """`ports.backups.Backups` over a `FakeRepository`; `failure` is raised by the next writes."""

    def __init__(self, repository: FakeRepository | None = None) -> None:
        self.repository = repository or FakeRepository()
        self.code = ""
        self.is_untold = False
        self.failure: OutsideError | None = None

    async def prepare(self) -> str | None:
        if not self.code:
            self.code, self.is_untold = CODE, True
        self.repository.code = self.repository.code or self.code
        self._check()
        return self.code if self.is_untold else None

    def code_was_told(self) -> None:
        self.is_untold = False

    def use(self, code: str) -> None:
        self.code = code

    def keep_code(self) -> None:
        pass

    async def copies(self) -> tuple[Copy, ...]:
        self._check()
        return tuple(sorted(self.repository.copies.values(), key=lambda item: item.taken_at))

    async def save(self, copy: Copy, paths: Sequence[Path], excluded: Sequence[Path]) -> Saved:
        self._check()
        found: dict[str, bytes] = {}
        for top in paths:
            if not top.exists():
                raise OutsideError(f"{top} cannot be read", subject="backup target")
            for path in _files(top, excluded):
                found[str(path)] = path.read_bytes()
                self.repository.modes[str(path)] = path.stat().st_mode & 0o7777
        return self._add(copy, found)

    async def save_stream(self, copy: Copy, chunks: AsyncIterator[bytes]) -> Saved:
        self._check()
        content = b"".join([chunk async for chunk in chunks])
        return self._add(copy, {"/image.tar": content})

    async def read(self, copy_id: str, path: str) -> bytes:
        self._check()
        if path in self.repository.damaged or path not in self.repository.files[copy_id]:
            raise OutsideError(f"{path} cannot be read", subject="backup target")
        return self.repository.files[copy_id][path]

    async def extract(self, copy_id: str, source: str, into: Path) -> None:
        self._check()
        into.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - small, in tests
        inside = {
            path: content
            for path, content in self.repository.files[copy_id].items()
            if path.startswith(f"{source}/")
        }
        if broken := self.repository.damaged.intersection(inside):
            raise OutsideError(f"{min(broken)} is damaged", subject="backup target")
        for entry in {path.removeprefix(f"{source}/").partition("/")[0] for path in inside}:
            shutil.rmtree(into / entry, ignore_errors=True)
        for path, content in inside.items():
            place = into / path.removeprefix(f"{source}/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            place.chmod(self.repository.modes[path])

    async def stream(self, copy_id: str) -> AsyncIterator[bytes]:
        yield await self.read(copy_id, "/image.tar")

    async def check(self) -> tuple[str, ...]:
        self._check()
        return tuple(f"data{path}" for path in sorted(self.repository.damaged))

    async def forget(self, copy_ids: Sequence[str]) -> None:
        self._check()
        for copy_id in copy_ids:
            self.repository.copies.pop(copy_id, None)
            self.repository.files.pop(copy_id, None)

    def _add(self, copy: Copy, files: dict[str, bytes]) -> Saved:
        if self.failure:
            raise self.failure
        number = f"{len(self.repository.files) + 1:08x}"
        new = set(files.values()) - self.repository.chunks
        self.repository.chunks |= new
        self.repository.copies[number] = replace(copy, id=number)
        self.repository.files[number] = files
        size = sum(map(len, files.values()))
        return Saved(number, len(files), size, sum(map(len, new)))

    def _check(self) -> None:
        if not self.code:
            raise OutsideError("there is no escrow code", subject="backup code")
        if self.code != self.repository.code:
            raise OutsideError("the target has another code", subject="backup target")


class FakeEngineData:
    """Images are their own references as bytes; volumes are folders under `folder`."""

    def __init__(self, world: FakeEngine, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.gateway: tuple[str, ...] = ()

    async def image_archive(self, reference: str) -> AsyncIterator[bytes]:
        found = self.world.images.get(reference)
        if found is None:
            raise OutsideError(f"no image {reference}", subject=reference)
        yield found.id.encode()

    async def load_image(self, chunks: AsyncIterator[bytes]) -> None:
        image_id = b"".join([chunk async for chunk in chunks]).decode()
        image = next(item for item in self.world.remote_images.values() if item.id == image_id)
        self.world.images[image_id] = replace(image, tags=())

    async def name_image(self, image_id: str, tag: str) -> None:
        image = self.world.images.get(image_id)
        if image is None:
            raise OutsideError(f"no image {image_id}", subject=image_id)
        named = replace(image, tags=tuple(dict.fromkeys((*image.tags, tag))))
        same = [name for name, item in self.world.images.items() if item.id == image_id]
        self.world.images |= dict.fromkeys((*same, tag), named)

    async def volume_folder(self, name: str) -> Path | None:
        if name not in self.world.volumes:
            return None
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        return place

    async def gateway_images(self) -> tuple[str, ...]:
        return self.gateway


def _files(top: Path, excluded: Sequence[Path]) -> Iterator[Path]:
    for path in sorted([top, *top.rglob("*")]):
        is_out = any(
            fnmatch(str(one), str(pattern)) for pattern in excluded for one in (path, *path.parents)
        )
        if path.is_file() and not is_out:
            yield path
