"""Observes and changes the Docker Engine over its unix socket.

The client is made at the first call, because importing aiodocker costs more than `berth --version`
may take. Nothing here decides; and nothing is removed that does not carry a label of ours.
"""

import asyncio
import json
import math
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from berthmaster.adapters.docker import (
    errors,
    execution,
    leaving,
    listening,
    log,
    looking,
    observed,
    pulling,
)
from berthmaster.adapters.uncut import uncut
from berthmaster.domain.container import (
    Container,
    EngineVersion,
    ExecResult,
    Image,
    Network,
    Volume,
    is_ours,
)
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.release import ReleaseNetwork
from berthmaster.ports.runtime import PullProgress

if TYPE_CHECKING:
    from aiodocker import Docker
    from aiodocker.containers import DockerContainer

Credentials = Callable[[str], Mapping[str, str] | None]  # image reference -> username and password

SOCKET: Final = "unix:///var/run/docker.sock"
PARALLEL_INSPECTS: Final = 8
_CALL_SECONDS: Final = 60.0  # for calls that answer at once on a healthy engine
_MEASURE_SECONDS: Final = 20.0  # the engine reads every folder of every volume
_REMOVAL_SECONDS: Final = 30.0
_APPEARANCE_TRIES: Final = 10
_LOOKED_AT: Final = "/berth-look"  # where a volume is mounted to be read


class AiodockerRuntime:
    """`ports.runtime.Runtime` over aiodocker, with the API version that the engine names."""

    def __init__(self, url: str | None = None, credentials: Credentials | None = None) -> None:
        self._url = url or os.environ.get("DOCKER_HOST") or SOCKET
        self._credentials = credentials or (lambda reference: None)
        self._opened: Docker | None = None
        self._exit = leaving.Exit(self._version_text)

    async def version(self) -> EngineVersion:
        with errors.translated("docker"):
            data = await self._docker.version()
        return EngineVersion(data["Version"], data["ApiVersion"], data["Arch"])

    # containers

    async def containers(
        self, labels: Mapping[str, str], *, detailed: bool = False
    ) -> tuple[Container, ...]:
        with errors.translated("containers"):
            rows = await self._docker.containers.list(all="true", filters=_label_filter(labels))
        if not detailed:
            found = [observed.listed_container(row._container) for row in rows]
        else:
            found = await self._inspect_all([row.id for row in rows])
        return tuple(sorted(found, key=lambda item: item.name))

    async def container(self, name: str) -> Container | None:
        data: Mapping[str, Any] | None = None
        with errors.translated(name), _Tolerated(HTTPStatus.NOT_FOUND):
            data = await self._container(name).show()
        return observed.inspected_container(data, datetime.now(UTC)) if data else None

    async def start(self, name: str) -> None:
        with errors.translated(name):
            await self._container(name).start()

    async def stop(self, name: str, timeout_seconds: float) -> None:
        async with self._exit.turn():
            with errors.translated(name), _Tolerated(HTTPStatus.NOT_FOUND):
                await self._container(name).stop(t=math.ceil(timeout_seconds))

    async def set_restart(self, name: str, policy: str) -> None:
        word, _, count = policy.partition(":")
        wanted = {"RestartPolicy": {"Name": word, "MaximumRetryCount": int(count or 0)}}
        with errors.translated(name):
            await self._docker._query_json(
                f"containers/{name}/update",
                method="POST",
                data=json.dumps(wanted),
                headers={"Content-Type": "application/json"},
            )

    async def remove(self, name: str) -> None:
        container = await self.container(name)
        if container is None:
            return
        if not is_ours(container.labels):
            raise errors.foreign("container", name)
        async with self._exit.turn():
            with errors.translated(name), _Tolerated(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                await self._container(container.id).delete(force=True, v=True)
            await self._await_gone(container.id)

    async def await_exit(self, name: str, timeout_seconds: float) -> int | None:
        container = await self.container(name)
        if container is None:
            raise OutsideError(f"container {name} is not there", subject=name)
        # NOTE: for a container that was never started the engine's own default answers 0 at once.
        condition = "next-exit" if container.state == "created" else "not-running"
        with errors.translated(name):
            try:
                async with asyncio.timeout(timeout_seconds):
                    answer = await self._container(container.id).wait(condition=condition)
            except TimeoutError:
                return None
        return int(answer["StatusCode"])

    async def logs(self, name: str, *, lines: int) -> str:
        with errors.translated(name):
            pieces = await self._container(name).log(stdout=True, stderr=True, tail=lines)
        return "".join(pieces)

    async def follow_logs(
        self, name: str, *, lines: int, since: str | None = None, follow: bool = True
    ) -> AsyncIterator[str]:
        options: dict[str, Any] = {"tail": lines if lines >= 0 else "all"}
        if since is not None:
            options["since"] = log.parse_since(since, datetime.now(UTC))
        with errors.translated(name):
            if not follow:
                pieces = await self._container(name).log(stdout=True, stderr=True, **options)
                for line in "".join(pieces).splitlines():
                    yield line
                return
            stream = self._container(name).log(stdout=True, stderr=True, follow=True, **options)
            async with aclosing(log.lines_of(stream)) as lines_read:
                async for line in lines_read:
                    yield line

    async def execute(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        into: Path | None = None,
        source: Path | None = None,
        timeout_seconds: float = 60.0,
    ) -> ExecResult:
        request = execution.Command(tuple(command), environment or {}, source, into)
        with errors.translated(name):
            try:
                async with asyncio.timeout(timeout_seconds):
                    return await execution.run(self._container(name), request)
            except TimeoutError as exc:
                message = f"{name}: {command[0]} did not end within {timeout_seconds:g} s"
                raise OutsideError(message, subject=name) from exc

    async def listening(self, name: str) -> tuple[str, ...]:
        with errors.translated(name), _Tolerated(HTTPStatus.NOT_FOUND):
            data = await self._container(name).show()
            return listening.read_listeners(int(data["State"].get("Pid") or 0))
        return ()

    async def connected(self, name: str, ports: Sequence[int]) -> int:
        with errors.translated(name), _Tolerated(HTTPStatus.NOT_FOUND):
            data = await self._container(name).show()
            return listening.count_connections(int(data["State"].get("Pid") or 0), ports)
        return 0

    async def callers(self, name: str, ports: Sequence[int]) -> tuple[str, ...]:
        with errors.translated(name), _Tolerated(HTTPStatus.NOT_FOUND):
            data = await self._container(name).show()
            return listening.read_callers(int(data["State"].get("Pid") or 0), ports)
        return ()

    # images

    async def image(self, reference: str) -> Image | None:
        data: Mapping[str, Any] | None = None
        with errors.translated(reference), _Tolerated(HTTPStatus.NOT_FOUND):
            data = await self._docker.images.inspect(reference)
        return observed.inspected_image(data) if data else None

    async def pull(self, reference: str, progress: PullProgress | None = None) -> None:
        is_fixed = "sha256:" in reference
        if is_fixed and await self.image(reference):
            return
        with errors.translated(reference, is_image=True):
            sums = pulling.Progress(reference, progress)
            options: dict[str, Any] = {"auth": self._credentials(reference)}
            # NOTE: with a login aiodocker wants the registry's name in front.
            name = reference if "/" in reference else f"docker.io/library/{reference}"
            rows = self._docker.images.pull(name, stream=True, **options)
            async for row in pulling.not_silent(rows, reference):
                sums.take(row)

    async def find_programs(self, image: str, names: Sequence[str]) -> frozenset[str]:
        with errors.translated(image):
            data = await self._docker.images.inspect(image)
            path = observed.inspected_image(data).environment.get("PATH", "")
            async with looking.opened(self._docker, image) as container:
                return await looking.present(container, names, path)

    async def volume_text(self, image: str, volume: str, path: str) -> str | None:
        with errors.translated(volume):
            async with looking.opened(self._docker, image, {volume: _LOOKED_AT}) as container:
                return await looking.read_text(container, f"{_LOOKED_AT}/{path}")

    async def images(self) -> tuple[Image, ...]:
        with errors.translated("images"):
            rows = await self._docker.images.list()
        return tuple(observed.listed_image(row) for row in rows)

    async def remove_image(self, reference: str) -> None:
        with errors.translated(reference), _Tolerated(HTTPStatus.NOT_FOUND):
            await self._docker.images.delete(reference)

    # networks and volumes

    async def networks(self, labels: Mapping[str, str] | None = None) -> tuple[Network, ...]:
        filters = {"label": _pairs(labels)} if labels else None
        with errors.translated("networks"):
            rows = await self._docker.networks.list(filters=filters)
        return tuple(observed.listed_network(row) for row in rows)

    async def create_network(self, network: ReleaseNetwork, labels: Mapping[str, str]) -> None:
        if await self._has_network(network):
            return
        ipam = {
            "Subnet": network.subnet,
            "Gateway": network.gateway,
            "IPRange": network.dynamic_range,
        }
        config = {
            "Name": network.name,
            "Driver": "bridge",
            "CheckDuplicate": True,  # engines below 25 would make a second one of the same name
            "IPAM": {"Driver": "default", "Config": [ipam]},
            "Labels": dict(labels),
        }
        try:
            with errors.translated(network.name):
                await uncut(self._docker.networks.create(config))
        except OutsideError:
            if not await self._appears(network):
                raise

    async def remove_network(self, name: str) -> None:
        found = await self._network(name)
        if found is None:
            return
        if not is_ours(found.labels):
            raise errors.foreign("network", name)
        with errors.translated(name), _Tolerated(HTTPStatus.NOT_FOUND):
            await (await self._docker.networks.get(found.id)).delete()

    async def join_network(
        self, network: str, container: str, *, aliases: Sequence[str], address: str | None
    ) -> None:
        found = await self._own_network(network)
        if found is None:
            raise OutsideError(f"network {network} is not there", subject=network)
        if network in await self._joined(container):
            return
        endpoint: dict[str, Any] = {"Aliases": list(aliases)}
        if address is not None:
            endpoint["IPAMConfig"] = {"IPv4Address": address}
        with errors.translated(container[:12]):
            one = await self._docker.networks.get(found.id)
            await uncut(one.connect({"Container": container, "EndpointConfig": endpoint}))

    async def leave_network(self, network: str, container: str) -> None:
        found = await self._own_network(network)
        if found is None or network not in await self._joined(container):
            return
        async with self._exit.turn():
            with errors.translated(container[:12]), _Tolerated(HTTPStatus.NOT_FOUND):
                one = await self._docker.networks.get(found.id)
                await one.disconnect({"Container": container, "Force": False})

    async def volumes(self, labels: Mapping[str, str]) -> tuple[Volume, ...]:
        filters = {"label": _pairs(labels)} if labels else None
        with errors.translated("volumes"):
            data = await self._volumes.list(filters=filters)
        return tuple(observed.listed_volume(row) for row in data.get("Volumes") or ())

    async def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        with errors.translated(name):
            await self._volumes.create({"Name": name, "Labels": dict(labels)})

    async def remove_volume(self, name: str) -> None:
        with errors.translated(name), _Tolerated(HTTPStatus.NOT_FOUND):
            volume = await self._volumes.get(name)
            if not is_ours((await volume.show()).get("Labels") or {}):
                raise errors.foreign("volume", name)
            await volume.delete()

    async def volume_sizes(self) -> Mapping[str, int]:
        with errors.translated("volumes"):
            async with asyncio.timeout(_MEASURE_SECONDS):
                # NOTE: engines below 23 do not know `type`, and measure images and containers too;
                # from 29 on a row for each volume wants `verbose`.
                wanted = {"type": "volume", "verbose": "true"}
                data = await self._docker._query_json("system/df", params=wanted)
        return observed.volume_sizes(data)

    async def memory(self, names: Sequence[str]) -> Mapping[str, int]:
        gate = asyncio.Semaphore(PARALLEL_INSPECTS)

        async def ask(name: str) -> int | None:
            async with gate:
                return await self._memory(name)

        answers = await asyncio.gather(*map(ask, names))
        return {name: held for name, held in zip(names, answers, strict=True) if held is not None}

    async def close(self) -> None:
        client, self._opened = self._opened, None
        if client is not None:
            await client.close()

    @property
    def _docker(self) -> "Docker":
        if self._opened is None:
            import aiohttp
            from aiodocker import Docker

            timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS, sock_connect=5.0)
            self._opened = Docker(url=self._url, timeout=timeout)
        return self._opened

    @property
    def _volumes(self) -> Any:
        return self._docker.volumes  # aiodocker leaves this part untyped

    def _container(self, name: str) -> "DockerContainer":
        return self._docker.containers.container(name)

    async def _inspect_all(self, ids: Sequence[str]) -> list[Container]:
        """Containers that went away meanwhile are left out."""
        gate = asyncio.Semaphore(PARALLEL_INSPECTS)

        async def inspect(container_id: str) -> Container | None:
            async with gate:
                return await self.container(container_id)

        found = await asyncio.gather(*(inspect(container_id) for container_id in ids))
        return [item for item in found if item is not None]

    async def _memory(self, name: str) -> int | None:
        once = {"stream": "false", "one-shot": "true"}  # else it waits a second, to tell the CPU
        with errors.translated(name), _Tolerated(HTTPStatus.NOT_FOUND):
            data = await self._docker._query_json(f"containers/{name}/stats", params=once)
            return observed.memory_held(data)
        return None

    async def _await_gone(self, container_id: str) -> None:
        """Somebody else may be removing it: then the engine says conflict and goes on."""
        subject = container_id[:12]
        with errors.translated(subject):
            try:
                async with asyncio.timeout(_REMOVAL_SECONDS):
                    with _Tolerated(HTTPStatus.NOT_FOUND):
                        await self._container(container_id).wait(condition="removed")
            except TimeoutError as exc:
                message = f"container {subject} is still there after {_REMOVAL_SECONDS:g} s"
                raise OutsideError(message, subject=subject, retryable=True) from exc

    async def _version_text(self) -> str:
        return (await self.version()).version

    async def _network(self, name: str) -> Network | None:
        with errors.translated(name):
            rows = await self._docker.networks.list(filters={"name": [name]})
        # NOTE: the engine's filter matches parts of names.
        return next((observed.listed_network(row) for row in rows if row["Name"] == name), None)

    async def _own_network(self, name: str) -> Network | None:
        found = await self._network(name)
        if found is not None and not is_ours(found.labels):
            raise errors.foreign("network", name)
        return found

    async def _joined(self, container: str) -> frozenset[str]:
        """Names of the networks of a container, stopped ones too; empty when it is not there."""
        with errors.translated(container[:12]), _Tolerated(HTTPStatus.NOT_FOUND):
            data = await self._container(container).show()
            return frozenset((data.get("NetworkSettings") or {}).get("Networks") or ())
        return frozenset()

    async def _appears(self, network: ReleaseNetwork) -> bool:
        """Whether an earlier call makes it: its addresses are taken before its name shows."""
        for _ in range(_APPEARANCE_TRIES):
            if await self._has_network(network):
                return True
            await asyncio.sleep(0.1)
        return False

    async def _has_network(self, wanted: ReleaseNetwork) -> bool:
        found = await self._network(wanted.name)
        if found is not None and wanted.subnet not in found.subnets:
            other = ", ".join(found.subnets) or "none"
            raise OutsideError(
                f"network {wanted.name} is there with subnet {other}, wanted {wanted.subnet}",
                subject=wanted.name,
                next_command=f"docker network inspect {wanted.name}",
            )
        return found is not None


class _Tolerated:
    """Lets these statuses of the engine pass as success."""

    def __init__(self, *statuses: HTTPStatus) -> None:
        self._statuses = statuses

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return getattr(error, "status", None) in self._statuses


def _pairs(labels: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" if value else key for key, value in labels.items()]


def _label_filter(labels: Mapping[str, str]) -> str:
    return json.dumps({"label": _pairs(labels)} if labels else {})
