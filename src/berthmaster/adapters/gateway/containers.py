"""The few calls to the Docker Engine that the gateway needs; foreign containers are refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import aiodocker
import aiohttp

from berthmaster.adapters.gateway.errors import EngineFailed
from berthmaster.adapters.gateway.images import USUAL_IMAGES, choose_image
from berthmaster.adapters.gateway.process import LABEL_CONFIG, LABEL_GATEWAY, Process
from berthmaster.domain.errors import GatewayRefused

_LOG_LINES: Final = 15


class Containers:
    """Create, signal and remove the gateway's containers by name."""

    def __init__(self, client: aiodocker.Docker) -> None:
        self._client = client

    async def with_image(self, wanted: Process) -> tuple[Process, str]:
        """The process with an image that is here, and its id; raises `ImageNotFound`."""
        usual = USUAL_IMAGES[wanted.kind]
        async with _translated(f"image of the {wanted.kind}"):
            name, image_id = await choose_image(self._client, wanted.image or None, usual)
        return replace(wanted, image=name), image_id

    async def is_running(self, wanted: Process, image_id: str) -> bool:
        """Whether the container runs with the image and settings that it should have."""
        found = await self._inspect(wanted.name)
        if found is None:
            return False
        has_settings = found["Config"]["Labels"].get(LABEL_CONFIG) == wanted.settings_hash
        return bool(found["State"]["Running"]) and has_settings and found["Image"] == image_id

    async def replace(self, wanted: Process, stop_seconds: int) -> None:
        """Remove what has the name and start anew."""
        await self.remove(wanted.name, stop_seconds)
        async with _translated(f"container {wanted.name}"):
            config = wanted.container(wanted.command, is_service=True)
            await self._client.containers.run(config, name=wanted.name)

    async def remove(self, name: str, stop_seconds: int) -> None:
        """Stop gracefully and remove; none is fine, one that is not a gateway's is refused."""
        found = await self._inspect(name)
        if found is None:
            return
        if LABEL_GATEWAY not in (found["Config"]["Labels"] or {}):
            raise GatewayRefused(f"the container {name} is not Berthmaster's", subject=name)
        async with _translated(f"container {name}"):
            container = self._client.containers.container(found["Id"])
            if found["State"]["Running"]:
                await container.stop(t=stop_seconds)
            await container.delete(force=True, v=True)

    async def signal(self, name: str, signal: str) -> None:
        """Send a signal to the container's first process."""
        async with _translated(f"container {name}"):
            await self._client.containers.container(name).kill(signal=signal)

    async def run_once(self, wanted: Process, command: tuple[str, ...]) -> tuple[int, str]:
        """Run a command as the process would run; returns exit code and output."""
        async with _translated(f"check of {wanted.name}"):
            container = await self._client.containers.create(
                wanted.container(command, is_service=False)
            )
            try:
                await container.start()
                code = int((await container.wait())["StatusCode"])
                return code, _text(await container.log(stdout=True, stderr=True))
            finally:
                await container.delete(force=True, v=True)

    async def logs(self, name: str) -> str:
        """The last lines, or why there are none."""
        try:
            container = self._client.containers.container(name)
            return _text(await container.log(stdout=True, stderr=True, tail=_LOG_LINES))
        except (aiodocker.DockerError, aiohttp.ClientError) as error:
            return str(error)

    async def _inspect(self, name: str) -> dict[str, Any] | None:
        async with _translated(f"container {name}"):
            try:
                container = await self._client.containers.get(name)
            except aiodocker.DockerError as error:
                if error.status == 404:
                    return None
                raise
            return dict(await container.show())


@asynccontextmanager
async def _translated(what: str) -> AsyncIterator[None]:
    try:
        yield
    except (aiodocker.DockerError, aiohttp.ClientError, OSError) as error:
        raise EngineFailed(what, error) from error


def _text(lines: list[str]) -> str:
    return "".join(lines)[-4000:]
