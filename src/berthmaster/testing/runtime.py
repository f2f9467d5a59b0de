"""The runtime port over the in-memory world."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from berthmaster.domain.container import (
    Container,
    EngineVersion,
    ExecResult,
    Image,
    Network,
    Volume,
    is_ours,
)
from berthmaster.domain.errors import ImageNotFound, NotAllowed, OutsideError
from berthmaster.domain.release import ReleaseNetwork
from berthmaster.ports.runtime import PullProgress
from berthmaster.testing.world import FakeContainer, FakeEngine

Program = Callable[[FakeContainer, Sequence[str], bytes], tuple[int, bytes]]
NOT_EXECUTABLE: Final = 126  # what the engine answers for a program that is not there


class FakeRuntime:
    """`ports.runtime.Runtime` without an engine; `programs` are what `execute` can run."""

    def __init__(self, world: FakeEngine | None = None) -> None:
        self.world = world or FakeEngine()
        self.programs: dict[str, Program] = {
            "true": lambda container, arguments, source: (0, b""),
            "false": lambda container, arguments, source: (1, b""),
            "cat": lambda container, arguments, source: (0, source),
            "echo": lambda container, arguments, source: (0, f"{' '.join(arguments)}\n".encode()),
            "printenv": _printenv,
        }

    async def version(self) -> EngineVersion:
        with self.world.calling("runtime.version"):
            return EngineVersion("20.10.24", "1.41", "amd64")

    async def containers(
        self, labels: Mapping[str, str], *, detailed: bool = False
    ) -> tuple[Container, ...]:
        with self.world.calling("runtime.containers"):
            now = self.world.clock.now()
            return tuple(
                item.seen(now, is_detailed=detailed)
                for _, item in sorted(self.world.containers.items())
                if _carries(item.labels, labels)
            )

    async def container(self, name: str) -> Container | None:
        with self.world.calling("runtime.container", name):
            found = self._find_or_none(name)
            if found is None:
                return None
            found.observe(self.world.clock.now())
            return found.seen(self.world.clock.now(), is_detailed=True)

    async def start(self, name: str) -> None:
        with self.world.calling("runtime.start", name):
            self._find(name).start(self.world.clock.now())

    async def stop(self, name: str, timeout_seconds: float) -> None:
        with self.world.calling("runtime.stop", name):
            if found := self._find_or_none(name):
                found.end(0, self.world.clock.now())

    async def set_restart(self, name: str, policy: str) -> None:
        with self.world.calling("runtime.set_restart", name):
            self._find(name).restart = policy

    async def remove(self, name: str) -> None:
        with self.world.calling("runtime.remove", name):
            found = self._find_or_none(name)
            if found is None:
                return
            if not is_ours(found.labels):
                raise NotAllowed(f"container {name} carries no berthmaster label")
            del self.world.containers[found.name]

    async def await_exit(self, name: str, timeout_seconds: float) -> int | None:
        with self.world.calling("runtime.await_exit", name):
            found = self._find(name)
            end = self.world.clock.monotonic() + timeout_seconds
            while found.state != "exited" and self.world.clock.monotonic() < end:
                await self.world.clock.sleep(min(1.0, end - self.world.clock.monotonic()))
            return found.exit_code

    async def logs(self, name: str, *, lines: int) -> str:
        with self.world.calling("runtime.logs", name):
            wanted = self._find(name).behaviour.log[-lines:] if lines else ()
            return "".join(f"{line}\n" for line in wanted)

    async def follow_logs(
        self, name: str, *, lines: int, since: str | None = None, follow: bool = True
    ) -> AsyncIterator[str]:
        with self.world.calling("runtime.follow_logs", name):
            log = self._find(name).behaviour.log
        for line in log if lines < 0 else log[len(log) - min(lines, len(log)) :]:
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
        with self.world.calling("runtime.execute", name):
            found = self._find(name)
            if found.state != "running":
                raise OutsideError(f"{name}: container is not running", subject=name)
            program = self.programs.get(command[0])
            if program is None:
                return ExecResult(NOT_EXECUTABLE, f"{command[0]}: not found\n")
            taken = source.read_bytes() if source else b""  # noqa: ASYNC240 - small, in tests
            code, output = program(_with(found, environment or {}), command[1:], taken)
            if into is None:
                return ExecResult(code, output.decode(errors="replace"))
            _write_private(into, output)
            return ExecResult(code, "")

    async def listening(self, name: str) -> tuple[str, ...]:
        with self.world.calling("runtime.listening", name):
            found = self._find_or_none(name)
            if found is None or found.state != "running":
                return ()
            ports = {item.inside for item in found.published} or {found.behaviour.port or 8000}
            return tuple(f"0.0.0.0:{port}" for port in sorted(ports))

    async def connected(self, name: str, ports: Sequence[int]) -> int:
        with self.world.calling("runtime.connected", name):
            found = self._find_or_none(name)
            return found.connections if found is not None and found.state == "running" else 0

    async def callers(self, name: str, ports: Sequence[int]) -> tuple[str, ...]:
        with self.world.calling("runtime.callers", name):
            found = self._find_or_none(name)
            return found.callers if found is not None and found.state == "running" else ()

    async def image(self, reference: str) -> Image | None:
        with self.world.calling("runtime.image", reference):
            return self.world.images.get(reference)

    async def pull(self, reference: str, progress: PullProgress | None = None) -> None:
        with self.world.calling("runtime.pull", reference):
            if reference in self.world.images and "sha256:" in reference:
                return
            image = self.world.remote_images.get(reference) or self.world.images.get(reference)
            if image is None:
                raise ImageNotFound(f"{reference}: no registry has it", subject=reference)
            names = (name for name, other in self.world.remote_images.items() if other == image)
            self.world.images.update(dict.fromkeys((*names, reference, image.id), image))
            if progress:
                progress(reference, image.size_bytes, image.size_bytes)

    async def find_programs(self, image: str, names: Sequence[str]) -> frozenset[str]:
        with self.world.calling("runtime.find_programs", image):
            found = self.world.images.get(image)
            if found is None:
                raise OutsideError(f"{image}: no such image", subject=image)
            return frozenset(names) & self.world.programs.get(found.id, frozenset(names))

    async def volume_text(self, image: str, volume: str, path: str) -> str | None:
        with self.world.calling("runtime.volume_text", volume):
            return self.world.volume_files.get((volume, path))

    async def images(self) -> tuple[Image, ...]:
        with self.world.calling("runtime.images"):
            return tuple({image.id: image for image in self.world.images.values()}.values())

    async def remove_image(self, reference: str) -> None:
        with self.world.calling("runtime.remove_image", reference):
            image = self.world.images.pop(reference, None)
            if image and reference == image.id:
                kept = {name: item for name, item in self.world.images.items() if item != image}
                self.world.images = kept

    async def networks(self, labels: Mapping[str, str] | None = None) -> tuple[Network, ...]:
        with self.world.calling("runtime.networks"):
            return tuple(
                self._seen_network(item)
                for name, item in sorted(self.world.networks.items())
                if _carries(self.world.network_labels[name], labels or {})
            )

    async def create_network(self, network: ReleaseNetwork, labels: Mapping[str, str]) -> None:
        with self.world.calling("runtime.create_network", network.name):
            there = self.world.networks.setdefault(network.name, network)
            if there.subnet != network.subnet:
                raise OutsideError(
                    f"network {network.name} is there with subnet {there.subnet}",
                    subject=network.name,
                )
            self.world.network_labels.setdefault(network.name, dict(labels))

    async def remove_network(self, name: str) -> None:
        with self.world.calling("runtime.remove_network", name):
            if name not in self.world.networks:
                return
            if not is_ours(self.world.network_labels[name]):
                raise NotAllowed(f"network {name} carries no berthmaster label")
            if any(
                name in item.addresses and item.state == "running"
                for item in self.world.containers.values()
            ):
                raise OutsideError(f"network {name} has active endpoints", subject=name)
            del self.world.networks[name], self.world.network_labels[name]

    async def join_network(
        self, network: str, container: str, *, aliases: Sequence[str], address: str | None
    ) -> None:
        with self.world.calling("runtime.join_network", container):
            self._check_own_network(network)
            if network not in self.world.networks:
                raise OutsideError(f"network {network} is not there", subject=network)
            found = self._find(container)
            if network in found.addresses:
                return
            if address is not None and self.world.at_address(address):
                raise OutsideError("Address already in use", subject=container)
            chosen = address or self.world.free_address(network)
            found.addresses = {**found.addresses, network: chosen}

    async def leave_network(self, network: str, container: str) -> None:
        with self.world.calling("runtime.leave_network", container):
            self._check_own_network(network)
            found = self._find_or_none(container)
            if found is not None:
                rest = {name: at for name, at in found.addresses.items() if name != network}
                found.addresses = rest

    async def volumes(self, labels: Mapping[str, str]) -> tuple[Volume, ...]:
        with self.world.calling("runtime.volumes"):
            return tuple(
                Volume(name, dict(own))
                for name, own in sorted(self.world.volumes.items())
                if _carries(own, labels)
            )

    async def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        with self.world.calling("runtime.create_volume", name):
            self.world.volumes.setdefault(name, dict(labels))

    async def remove_volume(self, name: str) -> None:
        with self.world.calling("runtime.remove_volume", name):
            if not is_ours(self.world.volumes.get(name, {"berthmaster.absent": ""})):
                raise NotAllowed(f"volume {name} carries no berthmaster label")
            self.world.volumes.pop(name, None)

    async def volume_sizes(self) -> Mapping[str, int]:
        with self.world.calling("runtime.volume_sizes"):
            held = self.world.volume_bytes
            return {name: held[name] for name in sorted(self.world.volumes) if name in held}

    async def memory(self, names: Sequence[str]) -> Mapping[str, int]:
        with self.world.calling("runtime.memory"):
            found = {name: self._find_or_none(name) for name in names}
            return {
                name: item.memory_bytes
                for name, item in found.items()
                if item is not None and item.state == "running"
            }

    async def close(self) -> None:
        return None

    def _find_or_none(self, name: str) -> FakeContainer | None:
        by_id = (item for item in self.world.containers.values() if item.id == name)
        return self.world.containers.get(name) or next(by_id, None)

    def _find(self, name: str) -> FakeContainer:
        found = self._find_or_none(name)
        if found is None:
            raise OutsideError(f"{name}: no such container", subject=name)
        return found

    def _check_own_network(self, name: str) -> None:
        if not is_ours(self.world.network_labels.get(name, {"berthmaster.absent": ""})):
            raise NotAllowed(f"network {name} carries no berthmaster label")

    def _seen_network(self, network: ReleaseNetwork) -> Network:
        labels = dict(self.world.network_labels[network.name])
        return Network(network.name, f"id-{network.name}", (network.subnet,), labels)


def _carries(own: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(key in own and value in ("", own[key]) for key, value in wanted.items())


def _printenv(
    container: FakeContainer, arguments: Sequence[str], source: bytes
) -> tuple[int, bytes]:
    value = container.environment.get(arguments[0])
    return (1, b"") if value is None else (0, f"{value}\n".encode())


def _with(container: FakeContainer, environment: Mapping[str, str]) -> FakeContainer:
    """As the program sees it: the container's own environment and the call's."""
    return replace(container, environment={**container.environment, **environment})


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
