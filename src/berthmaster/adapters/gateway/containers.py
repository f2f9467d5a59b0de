"""The few calls to the Docker Engine that the gateway needs; foreign containers are refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final

import aiodocker
import aiohttp

from berthmaster.adapters.docker.errors import NO_CONNECTION, unavailable
from berthmaster.adapters.gateway.errors import EngineFailed
from berthmaster.adapters.gateway.images import USUAL_IMAGES, choose_image
from berthmaster.adapters.gateway.process import LABEL_CONFIG, LABEL_GATEWAY, Process
from berthmaster.domain.errors import GatewayRefused

_LOG_LINES: Final = 15
_AGAIN_SECONDS: Final = 1.0  # until a process that goes on is asked to end once more


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

    async def is_up(self, wanted: Process) -> bool:
        """Whether one of ours runs under its name, whatever it was made from."""
        found = await self._inspect(wanted.name)
        return found is not None and bool(found["State"]["Running"]) and _is_ours(found)

    async def set_aside(self, wanted: Process) -> None:
        """Give the running one its old name, so that the new one can have its own."""
        await self.retire(wanted, 0)  # of a hand-over that was killed
        await self._rename(wanted.name, wanted.old_name)

    async def put_back(self, wanted: Process) -> None:
        """Undo `set_aside`, whatever has the name now."""
        await self.remove(wanted.name, 0)
        await self._rename(wanted.old_name, wanted.name)

    async def retire(self, wanted: Process, stop_seconds: int) -> None:
        """End the one that handed over; its requests have their time. None is fine."""
        found = await self._inspect(wanted.old_name)
        if found is None:
            return
        async with _translated(f"container {wanted.old_name}"):
            never = json.dumps({"RestartPolicy": {"Name": "no"}})
            await self._client._query_json(
                f"containers/{found['Id']}/update",
                method="POST",
                data=never,
                headers={"Content-Type": "application/json"},
            )
        await self.remove(wanted.old_name, stop_seconds)

    async def start(self, wanted: Process) -> None:
        """Make it and start it; nothing may have its name."""
        async with _translated(f"container {wanted.name}"):
            config = wanted.container(wanted.command, is_service=True)
            await self._client.containers.run(config, name=wanted.name)

    async def remove(self, name: str, stop_seconds: int) -> None:
        """Stop gracefully and remove; none is fine, one that is not a gateway's is refused."""
        found = await self._inspect(name)
        if found is None:
            return
        if not _is_ours(found):
            raise GatewayRefused(f"the container {name} is not Berthmaster's", subject=name)
        async with _translated(f"container {name}"):
            if found["State"]["Running"]:
                await self._stop(found, stop_seconds)
            await self._client.containers.container(found["Id"]).delete(force=True, v=True)

    async def _stop(self, found: dict[str, Any], stop_seconds: int) -> None:
        # NOTE: HAProxy's master of 2.6 loses a signal that comes while it starts, and the engine
        # sends it once: then it would be killed at the end of its time, with what is in flight.
        container = self._client.containers.container(found["Id"])
        ending = asyncio.ensure_future(container.stop(t=stop_seconds))
        try:
            while not (await asyncio.wait({ending}, timeout=_AGAIN_SECONDS))[0]:
                with suppress(aiodocker.DockerError):  # it has just ended
                    await container.kill(signal=found["Config"]["StopSignal"])
            await ending
        finally:
            ending.cancel()

    async def _rename(self, old: str, new: str) -> None:
        async with _translated(f"container {old}"):
            await self._client.containers.container(old).rename(new)

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
    except aiodocker.DockerError as error:
        if error.status == NO_CONNECTION:
            raise unavailable(error.message) from error
        raise EngineFailed(what, error.message) from error
    except (aiohttp.ClientError, OSError) as error:
        raise EngineFailed(what, error) from error


def _is_ours(found: dict[str, Any]) -> bool:
    return LABEL_GATEWAY in (found["Config"]["Labels"] or {})


def _text(lines: list[str]) -> str:
    return "".join(lines)[-4000:]
