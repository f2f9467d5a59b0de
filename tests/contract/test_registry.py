"""The registry port: the in-memory twin, a real one, and a small one that misbehaves on demand."""

import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.contract.docker_world import PYTHON, Names, real_runtime

from berthmaster.adapters.docker import AiodockerRuntime
from berthmaster.adapters.registry import DockerCredentials, HttpRegistry
from berthmaster.domain.errors import OutsideError
from berthmaster.ports.registry import Registry, RemoteImage
from berthmaster.testing.registry import FakeRegistry

DIGEST = f"sha256:{'ab' * 32}"
LOGIN = base64.b64encode(b"deploy:s3cret-password").decode()


ONE_IMAGE: dict[str, Any] = {
    "manifests/v1": {"config": {"digest": "sha256:d"}, "layers": [{"size": 400}]},
    "blobs/sha256:d": {"architecture": "amd64"},
}


@dataclass(slots=True)
class Subject:
    """A registry, what is in it and what is not."""

    registry: Registry
    known: str
    digest: str
    unknown: str


@dataclass(slots=True)
class SmallRegistry:
    """Answers what a test says; with `wants_token` only after the token dance."""

    address: str = ""
    statuses: list[int] = field(default_factory=list)  # of the next answers; then 200
    retry_after: str = ""
    wants_token: bool = False
    wants_login: bool = False
    digest: str = DIGEST
    asked: list[str] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=lambda: dict(ONE_IMAGE))  # by path

    async def manifest(self, asked: web.Request) -> web.Response:
        self.asked.append(f"{asked.method} {asked.path}")
        if self.wants_token and asked.headers.get("Authorization") != "Bearer t0ken":
            realm = f'Bearer realm="http://{self.address}/token",service="small"'
            return web.Response(status=401, headers={"WWW-Authenticate": realm})
        if "index" not in asked.headers["Accept"]:
            return web.Response(status=406)
        status = self.statuses.pop(0) if self.statuses else 200
        headers = {"Docker-Content-Digest": self.digest}
        if status == 429 and self.retry_after:
            headers["Retry-After"] = self.retry_after
        path = f"{asked.match_info['kind']}/{asked.match_info['tag']}"
        body = json.dumps(self.documents.get(path, {})).encode()
        return web.Response(status=status, headers=headers, body=body)

    async def token(self, asked: web.Request) -> web.Response:
        self.asked.append(f"token {asked.query['scope']}")
        if self.wants_login and asked.headers.get("Authorization") != f"Basic {LOGIN}":
            return web.Response(status=401)
        return web.json_response({"token": "t0ken"})


@pytest.fixture
async def small() -> AsyncIterator[SmallRegistry]:
    registry = SmallRegistry()
    app = web.Application()
    app.router.add_route("*", "/v2/{name:.+}/{kind:manifests|blobs}/{tag}", registry.manifest)
    app.router.add_get("/token", registry.token)
    runner = web.AppRunner(app)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        registry.address = f"127.0.0.1:{listener.getsockname()[1]}"
        await web.SockSite(runner, listener).start()
        yield registry
        await runner.cleanup()


def _client(tmp_path: Path, auths: dict[str, dict[str, str]] | None = None) -> HttpRegistry:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": auths or {}}))
    return HttpRegistry(DockerCredentials(path), timeout_seconds=20.0, pause_seconds=0.0)


@pytest.fixture(params=["twin", "small", pytest.param("real", marks=pytest.mark.docker)])
async def subject(
    request: pytest.FixtureRequest, small: SmallRegistry, tmp_path: Path
) -> AsyncIterator[Subject]:
    if request.param == "twin":
        twin = FakeRegistry()
        twin.publish("registry.test/shop:v1", DIGEST)
        yield Subject(twin, "registry.test/shop:v1", DIGEST, "registry.test/shop:v2")
    elif request.param == "small":
        small.statuses = []
        yield Subject(_client(tmp_path), f"{small.address}/shop:v1", DIGEST, "")
    else:
        names = Names()
        async with real_runtime(names) as runtime:
            base = f"{await _start_registry(runtime, names)}/{names.prefix}/python"
            digest = await _push(runtime, f"{base}:v1")
            yield Subject(_client(tmp_path), f"{base}:v1", digest, f"{base}:v2")
            await runtime.remove_image(f"{base}:v1")


async def _start_registry(runtime: AiodockerRuntime, names: Names) -> str:
    config: dict[str, Any] = {
        "Image": "berthmaster/registry:2",
        "Labels": names.labels,
        "HostConfig": {"PortBindings": {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "0"}]}},
    }
    container = await runtime._docker.containers.create(config, name=f"{names.prefix}-registry")
    await container.start()
    ports = (await container.show())["NetworkSettings"]["Ports"]
    address = f"127.0.0.1:{ports['5000/tcp'][0]['HostPort']}"
    waiting = HttpRegistry(timeout_seconds=1.0, pause_seconds=0.1)
    for _ in range(100):
        with contextlib.suppress(OutsideError):
            await waiting.digest(f"{address}/none:1")
            return address
    raise AssertionError(f"the registry on {address} never answered")


async def _push(runtime: AiodockerRuntime, reference: str) -> str:
    repository, _, tag = reference.rpartition(":")
    await runtime._docker.images.tag(PYTHON, repository, tag=tag)
    await runtime._docker.images.push(reference, auth={"username": "", "password": ""})
    image = await runtime.image(reference)
    assert image is not None
    return next(
        item.partition("@")[2] for item in image.repo_digests if item.startswith(f"{repository}@")
    )


@pytest.mark.requirement("R377")
async def test_a_tag_leads_to_the_digest_behind_it(subject: Subject) -> None:
    assert await subject.registry.digest(subject.known) == subject.digest


async def test_a_tag_that_is_not_there_leads_to_nothing(
    subject: Subject, small: SmallRegistry
) -> None:
    small.statuses = [404]
    assert await subject.registry.digest(subject.unknown or subject.known) is None


async def test_it_asks_by_head_only(small: SmallRegistry, tmp_path: Path) -> None:
    await _client(tmp_path).digest(f"{small.address}/team/shop:v1")
    assert small.asked == ["HEAD /v2/team/shop/manifests/v1"]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_passing_failure_is_tried_again(
    small: SmallRegistry, tmp_path: Path, status: int
) -> None:
    small.statuses = [status, status]
    assert await _client(tmp_path).digest(f"{small.address}/shop:v1") == DIGEST
    assert len(small.asked) == 3


async def test_a_busy_registry_is_given_the_time_that_it_asks_for(
    small: SmallRegistry, tmp_path: Path
) -> None:
    small.statuses, small.retry_after = [429], "0"
    assert await _client(tmp_path).digest(f"{small.address}/shop:v1") == DIGEST
    small.statuses, small.retry_after = [429] * 9, "3600"
    with pytest.raises(OutsideError, match="come back in 3600 s") as raised:
        await _client(tmp_path).digest(f"{small.address}/shop:v1")
    assert raised.value.retryable
    assert len(small.statuses) == 8  # nobody waits an hour, and nobody asks again before


@pytest.mark.parametrize(("status", "tries", "retryable"), [(503, 3, True), (403, 1, False)])
async def test_a_lasting_failure_says_whether_to_come_back(
    small: SmallRegistry, tmp_path: Path, status: int, tries: int, retryable: bool
) -> None:
    small.statuses = [status] * 9
    with pytest.raises(OutsideError, match=str(status)) as raised:
        await _client(tmp_path).digest(f"{small.address}/shop:v1")
    assert raised.value.retryable is retryable
    assert raised.value.subject == small.address
    assert len(small.asked) == tries


async def test_a_token_is_fetched_where_one_is_wanted(small: SmallRegistry, tmp_path: Path) -> None:
    small.wants_token = True
    assert await _client(tmp_path).digest(f"{small.address}/shop:v1") == DIGEST
    assert "token repository:shop:pull" in small.asked


async def test_the_login_of_docker_is_used_for_the_token(
    small: SmallRegistry, tmp_path: Path
) -> None:
    small.wants_token = small.wants_login = True
    client = _client(tmp_path, {small.address: {"auth": LOGIN}})
    assert await client.digest(f"{small.address}/shop:v1") == DIGEST


async def test_a_refused_login_names_the_registry_and_no_password(
    small: SmallRegistry, tmp_path: Path
) -> None:
    small.wants_token = small.wants_login = True
    wrong = base64.b64encode(b"deploy:wr0ng-password").decode()
    client = _client(tmp_path, {small.address: {"auth": wrong}})
    with pytest.raises(OutsideError, match="refused access") as raised:
        await client.digest(f"{small.address}/shop:v1")
    assert "wr0ng" not in f"{raised.value!r}{raised.value.__cause__!r}"
    assert raised.value.next_command == f"docker login {small.address}"


async def test_an_answer_that_is_no_digest_is_an_error(
    small: SmallRegistry, tmp_path: Path
) -> None:
    small.digest = "sha256:short"
    with pytest.raises(OutsideError, match="names no digest"):
        await _client(tmp_path).digest(f"{small.address}/shop:v1")


async def test_a_registry_that_is_not_there_is_worth_another_try(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(OutsideError, match="does not answer") as raised:
        await _client(tmp_path).digest(f"{address}/shop:v1")
    assert raised.value.retryable


async def test_a_registry_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        client = HttpRegistry(
            DockerCredentials(tmp_path / "none"), timeout_seconds=0.1, pause_seconds=0.0
        )
        with pytest.raises(OutsideError, match="does not answer"):
            await client.digest(f"{address}/shop:v1")


MACHINES = {
    "manifests": [
        {"digest": "sha256:a", "platform": {"os": "linux", "architecture": "arm64"}},
        {"digest": "sha256:b", "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": "sha256:c", "platform": {"os": "unknown", "architecture": "unknown"}},
    ]
}
LAYERS = {"config": {"digest": "sha256:d"}, "layers": [{"size": 400}, {"size": 100}]}


async def test_an_image_is_described_without_being_here(subject: Subject) -> None:
    found = await subject.registry.describe(subject.known, "amd64")
    assert found is not None
    assert found.architectures == ("amd64",)
    assert found.size_bytes > 0


async def test_an_image_for_many_machines_has_the_size_for_this_one(
    small: SmallRegistry, tmp_path: Path
) -> None:
    small.documents |= {"manifests/v1": MACHINES, "manifests/sha256:b": LAYERS}
    found = await _client(tmp_path).describe(f"{small.address}/shop:v1", "amd64")
    assert found == RemoteImage(("amd64", "arm64"), 500)


async def test_an_image_for_other_machines_says_for_which(
    small: SmallRegistry, tmp_path: Path
) -> None:
    small.documents |= {"manifests/v1": MACHINES}
    found = await _client(tmp_path).describe(f"{small.address}/shop:v1", "s390x")
    assert found == RemoteImage(("amd64", "arm64"), 0)


@pytest.mark.parametrize("document", [[], {"manifests": 3}, {"layers": [{}]}, {"config": {}}])
async def test_what_is_no_manifest_is_an_error_and_no_image(
    small: SmallRegistry, tmp_path: Path, document: Any
) -> None:
    small.documents["manifests/v1"] = document
    with pytest.raises(OutsideError, match="no manifest"):
        await _client(tmp_path).describe(f"{small.address}/shop:v1", "amd64")


async def test_an_unknown_image_is_described_by_nothing(
    small: SmallRegistry, tmp_path: Path
) -> None:
    small.statuses = [404]
    assert await _client(tmp_path).describe(f"{small.address}/shop:v9", "amd64") is None
