"""`ports.backups.EngineData`: images as archives over the engine's socket, volumes' folders."""

from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import aiodocker
import aiohttp

from berthmaster.adapters.docker import errors
from berthmaster.domain.errors import OutsideError

_CHUNK: Final = 1 << 18


class DockerData:
    """Opens a client for each call: an archive may take long, and nothing else waits for it.

    `gateway_names` tells which images router and edge run from.
    """

    def __init__(self, url: str, gateway_names: Callable[[], Awaitable[tuple[str, ...]]]) -> None:
        self._url = url
        self._gateway_names = gateway_names

    async def image_archive(self, reference: str) -> AsyncIterator[bytes]:
        """The image as `docker save` gives it."""
        with errors.translated(reference):
            async with self._client() as client, client.images.export_image(reference) as content:
                while chunk := await content.read(_CHUNK):
                    yield chunk

    async def load_image(self, chunks: AsyncIterator[bytes]) -> None:
        """Bring an archive to the engine."""
        broken: list[OutsideError] = []

        async def noted() -> AsyncIterator[bytes]:
            try:
                async for chunk in chunks:
                    yield chunk
            except OutsideError as error:
                broken.append(error)
                raise

        try:
            with errors.translated("image archive"):
                async with self._client() as client:
                    await client.images.import_image(noted())
        except OutsideError:
            if broken:  # to the engine's client it is one that hung up
                raise broken[0] from None
            raise

    async def name_image(self, image_id: str, tag: str) -> None:
        """Give it a name."""
        repository, _, word = tag.rpartition(":")
        with errors.translated(image_id):
            async with self._client() as client:
                await client.images.tag(image_id, repository, tag=word)

    async def volume_folder(self, name: str) -> Path | None:
        """Where a volume's files lie."""
        with errors.translated(name):
            async with self._client() as client:
                volumes: Any = client.volumes  # aiodocker leaves this part untyped
                try:
                    found = await (await volumes.get(name)).show()
                except aiodocker.DockerError as error:
                    if error.status == HTTPStatus.NOT_FOUND:
                        return None
                    raise
        return Path(str(found["Mountpoint"]))

    async def gateway_images(self) -> tuple[str, ...]:
        """Names of the images that router and edge run from."""
        return await self._gateway_names()

    def _client(self) -> aiodocker.Docker:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0)
        return aiodocker.Docker(url=self._url, timeout=timeout)
