"""The Compose port over the in-memory world: refuses what the real one refuses, only adds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from berthmaster.domain.container import Image
from berthmaster.domain.errors import ComposeFailed, InvalidSpec, NotAllowed, NotFound, OutsideError
from berthmaster.ports.compose import READ_ONLY, ComposeInputs
from berthmaster.testing.world import FakeEngine


class FakeCompose:
    """`ports.compose.Compose` without the binary; tests put the rendered models into `models`."""

    def __init__(self, world: FakeEngine | None = None) -> None:
        self.world = world or FakeEngine()
        self.models: dict[tuple[str, ...], Mapping[str, Any]] = {}  # by the files asked for
        self.known_variables: dict[str, str | None] = {}
        self.passed: list[tuple[str, tuple[str, ...]]] = []
        self.ran: list[tuple[str, str, tuple[str, ...]]] = []  # project, service, command
        self.run_exit_code = 0

    async def version(self) -> str:
        with self.world.calling("compose.version"):
            return "2.26.1"

    async def config(self, project: str, inputs: ComposeInputs) -> Mapping[str, Any]:
        with self.world.calling("compose.config", project):
            model = self.models.get(inputs.files)
            if model is None:
                location = str(inputs.folder / inputs.files[0])
                raise InvalidSpec("no such file or directory", location=location)
            return {**model, "name": project}

    async def variables(self, inputs: ComposeInputs) -> Mapping[str, str | None]:
        with self.world.calling("compose.variables"):
            return dict(self.known_variables)

    async def up(
        self,
        project: str,
        model: Mapping[str, Any],
        services: Sequence[str],
        *,
        log: Path | None = None,
    ) -> None:
        known = _check_services(project, model, services)
        with self.world.calling("compose.up", project):
            for key in services:
                self._check(project, model, known[key])
            for key in services:
                self._up_one(project, model, key)

    async def run(
        self, project: str, model: Mapping[str, Any], service: str, command: Sequence[str]
    ) -> int:
        _check_services(project, model, [service])
        with self.world.calling("compose.run", project):
            self._check(project, model, model["services"][service])
            self.ran.append((project, service, tuple(command)))
            return self.run_exit_code

    async def passthrough(self, project: str, arguments: Sequence[str]) -> int:
        if not arguments or arguments[0] not in READ_ONLY:
            raise NotAllowed(f"only {', '.join(sorted(READ_ONLY))} are passed on")
        with self.world.calling("compose.passthrough", project):
            self.passed.append((project, tuple(arguments)))
            return 0

    async def build(self, project: str, inputs: ComposeInputs, services: Sequence[str]) -> None:
        with self.world.calling("compose.build", project):
            model = self.models.get(inputs.files) or {}
            for key in services or (model.get("services") or {}):
                service = model["services"][key]
                self.world.add_image(str(service.get("image") or f"{project}-{key}"))

    def _check(self, project: str, model: Mapping[str, Any], service: Mapping[str, Any]) -> None:
        """Everything must be there before; the real one looks in the same order."""
        for key in service.get("networks") or {}:
            if (name := _resolved(model, "networks", key)) not in self.world.networks:
                raise _failed(project, f"network {name} declared as external, but not found")
        for mount in service.get("volumes") or ():
            if mount.get("type") == "volume" and mount.get("source"):
                name = _resolved(model, "volumes", mount["source"])
                if name not in self.world.volumes:
                    raise _failed(project, f"external volume {name} not found")
        if service["image"] not in self.world.images:
            raise _failed(project, f"no such image: {service['image']}")

    def _up_one(self, project: str, model: Mapping[str, Any], key: str) -> None:
        service = model["services"][key]
        labels = _labels(project, key, service)
        name = service.get("container_name") or f"{project}-{key}-1"
        found = self.world.containers.get(name)
        if found is None:
            image = self.world.images[service["image"]]
            found = self._create(project, name, image, model, {**service, "labels": labels})
        elif any(found.labels.get(label) != labels[label] for label in _OWNER):
            raise _failed(project, f'the container name "/{name}" is already in use')
        found.start(self.world.clock.now())

    def _create(
        self,
        project: str,
        name: str,
        image: Image,
        model: Mapping[str, Any],
        service: Mapping[str, Any],
    ) -> Any:
        addresses = {}
        for key, settings in (service.get("networks") or {}).items():
            network = _resolved(model, "networks", key)
            addresses[network] = self._address(project, network, settings or {})
        return self.world.add_container(
            name,
            image,
            labels=service["labels"],
            environment=_environment(service),
            addresses=addresses,
            is_job=service.get("restart") == "no",
        )

    def _address(self, project: str, network: str, settings: Mapping[str, Any]) -> str:
        fixed = settings.get("ipv4_address")
        if fixed is None:
            try:
                return self.world.free_address(network)
            except OutsideError as exc:
                raise _failed(project, exc.message) from exc
        if self.world.at_address(fixed):
            raise _failed(project, "Address already in use")
        return str(fixed)


_OWNER = ("com.docker.compose.project", "com.docker.compose.service")


def _check_services(
    project: str, model: Mapping[str, Any], services: Sequence[str]
) -> Mapping[str, Any]:
    known: Mapping[str, Any] = model.get("services") or {}
    if unknown := [name for name in services if name not in known]:
        raise NotFound(f"{project}: the model has no service {', '.join(unknown)}")
    return known


def _labels(project: str, key: str, service: Mapping[str, Any]) -> dict[str, str]:
    own = service.get("labels") or {}
    return {**own, "com.docker.compose.project": project, "com.docker.compose.service": key}


def _resolved(model: Mapping[str, Any], part: str, key: str) -> str:
    return str(((model.get(part) or {}).get(key) or {}).get("name") or key)


def _environment(service: Mapping[str, Any]) -> dict[str, str]:
    given = service.get("environment") or {}
    return {key: str(value) for key, value in given.items() if value is not None}


def _failed(project: str, why: str) -> ComposeFailed:
    return ComposeFailed(f"{project}: docker compose up ended with 1:\n{why}", subject=project)
