"""The Compose port: one suite for the in-memory twin and the real binary."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.contract.docker_world import PYTHON, Names, real_runtime

from berthmaster.adapters.compose import ComposeCli
from berthmaster.domain.errors import ComposeFailed, InvalidSpec, NotAllowed, NotFound
from berthmaster.domain.release import ReleaseNetwork
from berthmaster.ports.compose import Compose, ComposeInputs
from berthmaster.ports.runtime import Runtime
from berthmaster.testing.compose import FakeCompose
from berthmaster.testing.runtime import FakeRuntime
from berthmaster.testing.world import FakeEngine

SLEEP = ["python3", "-c", "import time; time.sleep(60)"]


@dataclass(slots=True)
class Subject:
    """A Compose, the runtime that sees what it does, and a network to use."""

    compose: Compose
    runtime: Runtime
    names: Names
    network: ReleaseNetwork

    @property
    def project(self) -> str:
        return f"{self.names.prefix}-r1"

    def model(self, **changes: Any) -> Mapping[str, Any]:
        """Two services and a job, as the planner renders them."""
        web = {**self._service("web"), "networks": {"default": {"ipv4_address": self.address}}}
        job = {**self._service("job"), "command": ["python3", "-c", ""], "restart": "no"}
        return {
            "name": self.project,
            "services": {"web": {**web, **changes}, "worker": self._service("worker"), "job": job},
            "networks": {"default": {"name": self.network.name, "external": True}},
            "volumes": {"data": {"name": f"{self.names.prefix}-data", "external": True}},
        }

    @property
    def address(self) -> str:
        return str(ip_address(self.network.gateway) + 1)

    def _service(self, key: str) -> dict[str, Any]:
        return {
            "image": PYTHON,
            "command": SLEEP,
            "init": True,
            "container_name": f"{self.project}-{key}-1",
            "labels": self.names.labels,
            "networks": {"default": None},
            "environment": {"VALUE": "p$a$$b${c}"},
        }

    async def state_of(self, key: str) -> str | None:
        found = await self.runtime.container(f"{self.project}-{key}-1")
        return found.state if found else None


@pytest.fixture(params=["twin", pytest.param("real", marks=pytest.mark.docker)])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    names = Names()
    network = names.network()
    if request.param == "twin":
        world = FakeEngine()
        world.add_image(PYTHON)
        runtime = FakeRuntime(world)
        await runtime.create_network(network, names.labels)
        yield Subject(FakeCompose(world), runtime, names, network)
        return
    async with real_runtime(names) as real:
        await real.create_network(network, names.labels)
        yield Subject(ComposeCli(real), real, names, network)


async def test_only_the_services_asked_for_are_started(subject: Subject) -> None:
    await subject.compose.up(subject.project, subject.model(), ["web"])
    assert await subject.state_of("web") == "running"
    assert await subject.state_of("worker") is None


async def test_a_service_gets_its_name_its_labels_and_its_address(subject: Subject) -> None:
    await subject.compose.up(subject.project, subject.model(), ["web"])
    (found,) = await subject.runtime.containers(
        {"com.docker.compose.project": subject.project, **subject.names.labels}
    )
    assert found.name == f"{subject.project}-web-1"
    assert found.addresses == {subject.network.name: subject.address}


async def test_a_dollar_sign_in_a_value_stays_as_it_is(subject: Subject) -> None:
    await subject.compose.up(subject.project, subject.model(), ["web"])
    shown = await subject.runtime.execute(f"{subject.project}-web-1", ["printenv", "VALUE"])
    assert shown.output == "p$a$$b${c}\n"


async def test_a_start_that_was_interrupted_can_be_taken_back_at_once(subject: Subject) -> None:
    runtime, label = subject.runtime, {"com.docker.compose.project": subject.project}
    model = dict(subject.model())
    keys = [f"w{number}" for number in range(5)]
    model["services"] = {key: subject._service(key) for key in keys}
    for part in range(4):  # Compose begins to ask the engine after a quarter of a second
        starting = asyncio.ensure_future(subject.compose.up(subject.project, model, keys))
        await asyncio.wait({starting}, timeout=0.25 + part * 0.08)
        starting.cancel()
        await asyncio.wait({starting})
        for key in keys:
            await runtime.remove(f"{subject.project}-{key}-1")
        await asyncio.sleep(0.3)  # one that was still in the making would appear by now
        assert await runtime.containers(label) == ()


async def test_up_twice_changes_nothing(subject: Subject) -> None:
    for _ in range(2):
        await subject.compose.up(subject.project, subject.model(), ["web", "worker"])
    found = await subject.runtime.containers({"com.docker.compose.project": subject.project})
    assert [item.state for item in found] == ["running", "running"]
    assert len({item.id for item in found}) == 2


async def test_a_stopped_container_is_started_again_with_its_address(subject: Subject) -> None:
    await subject.compose.up(subject.project, subject.model(), ["web"])
    await subject.runtime.stop(f"{subject.project}-web-1", 1)
    await subject.compose.up(subject.project, subject.model(), ["web"])
    found = await subject.runtime.container(f"{subject.project}-web-1")
    assert found is not None
    assert found.is_running
    assert found.addresses == {subject.network.name: subject.address}


async def test_a_changed_model_never_replaces_a_container(subject: Subject) -> None:
    name = f"{subject.project}-web-1"
    await subject.compose.up(subject.project, subject.model(), ["web"])
    before = await subject.runtime.container(name)
    changed = subject.model(environment={"VALUE": "other"})
    await subject.compose.up(subject.project, changed, ["web"])
    after = await subject.runtime.container(name)
    assert before is not None
    assert after is not None
    assert after.id == before.id


async def test_a_job_runs_and_its_end_is_awaited(subject: Subject) -> None:
    await subject.compose.up(subject.project, subject.model(), ["job"])
    assert await subject.runtime.await_exit(f"{subject.project}-job-1", 20) == 0


async def test_an_image_may_be_named_by_its_id(subject: Subject) -> None:
    image = await subject.runtime.image(PYTHON)
    assert image is not None
    await subject.compose.up(subject.project, subject.model(image=image.id), ["web"])
    found = await subject.runtime.container(f"{subject.project}-web-1")
    assert found is not None
    assert found.image_id == image.id


@pytest.mark.requirement("R330")
async def test_an_image_that_is_not_here_is_not_pulled(subject: Subject) -> None:
    model = subject.model(image="berthmaster/none@sha256:" + "0" * 64)
    with pytest.raises(ComposeFailed, match="no such image"):
        await subject.compose.up(subject.project, model, ["web"])
    assert await subject.state_of("web") is None


async def test_an_external_network_that_is_missing_is_refused(subject: Subject) -> None:
    model = subject.model()
    model["networks"]["default"]["name"] = f"{subject.names.prefix}-none"
    with pytest.raises(ComposeFailed, match="not found"):
        await subject.compose.up(subject.project, model, ["web"])
    assert await subject.state_of("web") is None


async def test_an_external_volume_must_be_there_before(subject: Subject) -> None:
    mount = {"type": "volume", "source": "data", "target": "/data"}
    model = subject.model(volumes=[mount])
    with pytest.raises(ComposeFailed, match="not found"):
        await subject.compose.up(subject.project, model, ["web"])
    await subject.runtime.create_volume(f"{subject.names.prefix}-data", subject.names.labels)
    await subject.compose.up(subject.project, model, ["web"])
    assert await subject.state_of("web") == "running"


async def test_a_name_that_another_project_has_is_refused(subject: Subject) -> None:
    await subject.compose.up(subject.project, subject.model(), ["web"])
    with pytest.raises(ComposeFailed, match="already in use"):
        await subject.compose.up(f"{subject.names.prefix}-r2", subject.model(), ["web"])


async def test_a_service_that_the_model_lacks_is_not_found(subject: Subject) -> None:
    with pytest.raises(NotFound, match="nothing"):
        await subject.compose.up(subject.project, subject.model(), ["nothing"])


async def test_a_one_off_gives_its_exit_code_and_leaves_nothing(subject: Subject) -> None:
    if isinstance(subject.compose, FakeCompose):
        subject.compose.run_exit_code = 7
    model = subject.model()
    command = ["python3", "-c", "raise SystemExit(7)"]
    assert await subject.compose.run(subject.project, model, "worker", command) == 7
    labels = {"com.docker.compose.project": subject.project}
    assert await subject.runtime.containers(labels) == ()


async def test_only_commands_that_change_nothing_are_passed_on(subject: Subject) -> None:
    assert await subject.compose.passthrough(subject.project, ["ps", "--all"]) == 0
    for arguments in (["down"], ["config"], ["exec", "web", "true"], ["--dry-run", "ps"], []):
        with pytest.raises(NotAllowed):
            await subject.compose.passthrough(subject.project, arguments)


async def test_a_rendered_model_carries_the_project_asked_for(
    subject: Subject, tmp_path: Path
) -> None:
    service = {"image": PYTHON, "environment": {"VALUE": "x$y"}}
    (tmp_path / "compose.yaml").write_text(
        f"services:\n  web:\n    image: {PYTHON}\n    environment: {{VALUE: x$$y}}\n"
    )
    if isinstance(subject.compose, FakeCompose):
        subject.compose.models["compose.yaml",] = {"services": {"web": service}}
    model = await subject.compose.config("shop-prod", ComposeInputs(tmp_path, ("compose.yaml",)))
    assert model["name"] == "shop-prod"
    assert model["services"]["web"]["environment"] == {"VALUE": "x$y"}


async def test_a_file_that_is_not_there_is_an_invalid_spec(
    subject: Subject, tmp_path: Path
) -> None:
    with pytest.raises(InvalidSpec, match=r"none\.yaml"):
        await subject.compose.config("shop-prod", ComposeInputs(tmp_path, ("none.yaml",)))


async def test_the_version_is_one_that_is_supported(subject: Subject) -> None:
    major, minor = (await subject.compose.version()).split(".")[:2]
    assert (int(major), int(minor)) >= (2, 24)
