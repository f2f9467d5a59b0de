"""The runtime port: one suite for the in-memory twin and the real engine."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.contract.docker_world import PYTHON, Names, real_runtime

from berthmaster.domain.errors import ImageNotFound, NotAllowed, OutsideError
from berthmaster.domain.release import ReleaseNetwork
from berthmaster.ports.runtime import Runtime
from berthmaster.testing.behaviour import Behaviour
from berthmaster.testing.runtime import FakeRuntime

Make = Callable[..., Awaitable[str]]


@dataclass(slots=True)
class Subject:
    """A runtime, names to use, and a way to make a container that was not started."""

    runtime: Runtime
    names: Names
    make: Make


@pytest.fixture(params=["twin", pytest.param("real", marks=pytest.mark.docker)])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    names = Names()
    if request.param == "twin":
        yield _twin(names)
        return
    async with real_runtime(names) as runtime:

        async def make(
            name: str, *, ends: int | None = None, is_ours: bool = True, **more: Any
        ) -> str:
            code = "import time; print('one'); print('two', flush=True); "
            code += "time.sleep(60)" if ends is None else f"raise SystemExit({ends})"
            full = f"{names.prefix}-{name}"
            config = {"Image": PYTHON, "Cmd": ["python3", "-c", code], **more}
            config["Labels"] = names.labels if is_ours else {"other.test": names.prefix}
            config["HostConfig"] = {"Init": True}
            await runtime._docker.containers.create(config, name=full)
            return full

        yield Subject(runtime, names, make)
        for left in await runtime.containers({"other.test": names.prefix}):
            await runtime._container(left.name).delete(force=True, v=True)


def _twin(names: Names) -> Subject:
    runtime = FakeRuntime()
    image = runtime.world.add_image(PYTHON)

    async def make(name: str, *, ends: int | None = None, is_ours: bool = True, **more: Any) -> str:
        full = f"{names.prefix}-{name}"
        runtime.world.script(full, Behaviour(exit_code=ends, log=("one", "two")))
        labels = names.labels if is_ours else {"other.test": names.prefix}
        environment = dict(item.split("=", 1) for item in more.get("Env", ()))
        runtime.world.add_container(full, image, labels=labels, environment=environment)
        return full

    return Subject(runtime, names, make)


async def test_a_container_is_seen_through_its_life(subject: Subject) -> None:
    name = await subject.make("life")
    states = []
    for change in (None, subject.runtime.start(name), subject.runtime.stop(name, 5)):
        if change is not None:
            await change
        found = await subject.runtime.container(name)
        assert found is not None
        states.append(found.state)
    assert states == ["created", "running", "exited"]


async def test_starting_twice_and_stopping_twice_is_no_error(subject: Subject) -> None:
    name = await subject.make("twice")
    for call in (subject.runtime.start, subject.runtime.start):
        await call(name)
    await subject.runtime.stop(name, 5)
    await subject.runtime.stop(name, 5)
    found = await subject.runtime.container(name)
    assert found is not None
    assert not found.is_running


async def test_containers_are_found_by_label_key_and_by_label_value(subject: Subject) -> None:
    names = {await subject.make("a"), await subject.make("b")}
    by_value = await subject.runtime.containers(subject.names.labels)
    assert {item.name for item in by_value} == names
    by_key = await subject.runtime.containers({"berthmaster.test": ""})
    assert names <= {item.name for item in by_key}
    assert await subject.runtime.containers({"berthmaster.test": "somebody-else"}) == ()


async def test_a_detailed_list_knows_when_a_container_started(subject: Subject) -> None:
    await subject.runtime.start(await subject.make("age"))
    (plain,) = await subject.runtime.containers(subject.names.labels)
    (detailed,) = await subject.runtime.containers(subject.names.labels, detailed=True)
    assert plain.started_at is None
    assert detailed.started_at is not None
    assert plain.is_running
    assert detailed.is_running


async def test_the_list_knows_the_exit_code_of_a_container_that_ended(subject: Subject) -> None:
    name = await subject.make("ended", ends=3)
    await subject.runtime.start(name)
    await subject.runtime.await_exit(name, 20)
    (found,) = await subject.runtime.containers(subject.names.labels)
    assert (found.state, found.exit_code) == ("exited", 3)


async def test_removing_is_idempotent_and_takes_running_containers(subject: Subject) -> None:
    name = await subject.make("gone")
    await subject.runtime.start(name)
    await subject.runtime.remove(name)
    await subject.runtime.remove(name)
    assert await subject.runtime.container(name) is None


async def test_a_foreign_container_is_not_removed(subject: Subject) -> None:
    name = await subject.make("foreign", is_ours=False)
    with pytest.raises(NotAllowed):
        await subject.runtime.remove(name)
    assert await subject.runtime.container(name) is not None


async def test_a_container_of_somebody_else_gets_a_restart_policy_and_its_own_back(
    subject: Subject,
) -> None:
    name = await subject.make("web", is_ours=False)
    await subject.runtime.start(name)
    for policy in ("on-failure:3", "always", "no"):
        await subject.runtime.set_restart(name, policy)
        found = await subject.runtime.container(name)
        assert found is not None
        assert found.restart == policy
    assert await subject.runtime.connected(name, (80,)) == 0
    assert await subject.runtime.connected("nobody", (80,)) == 0
    assert await subject.runtime.callers(name, (80,)) == ()
    assert await subject.runtime.callers("nobody", (80,)) == ()
    with pytest.raises(OutsideError):
        await subject.runtime.set_restart("nobody", "no")


async def test_what_is_not_there_cannot_start_but_counts_as_stopped(subject: Subject) -> None:
    missing = f"{subject.names.prefix}-missing"
    await subject.runtime.stop(missing, 1)
    assert await subject.runtime.container(missing) is None
    assert await subject.runtime.listening(missing) == ()
    for call in (
        subject.runtime.start(missing),
        subject.runtime.await_exit(missing, 1),
        subject.runtime.logs(missing, lines=1),
        subject.runtime.execute(missing, ["true"]),
    ):
        with pytest.raises(OutsideError):
            await call


@pytest.mark.parametrize("code", [0, 7])
async def test_the_exit_code_of_a_job_is_awaited(subject: Subject, code: int) -> None:
    name = await subject.make("job", ends=code)
    await subject.runtime.start(name)
    assert await subject.runtime.await_exit(name, 20) == code
    assert await subject.runtime.await_exit(name, 20) == code


async def test_a_container_that_still_runs_or_never_ran_has_no_exit_code(
    subject: Subject,
) -> None:
    name = await subject.make("runs")
    assert await subject.runtime.await_exit(name, 0.2) is None
    await subject.runtime.start(name)
    assert await subject.runtime.await_exit(name, 0.2) is None


async def test_logs_are_the_last_lines(subject: Subject) -> None:
    name = await subject.make("logs", ends=0)
    await subject.runtime.start(name)
    await subject.runtime.await_exit(name, 20)
    assert await subject.runtime.logs(name, lines=1) == "two\n"
    followed = [line async for line in subject.runtime.follow_logs(name, lines=-1)]
    assert followed == ["one", "two"]
    once = subject.runtime.follow_logs(name, lines=1, follow=False)
    assert [line async for line in once] == ["two"]


async def test_a_command_gets_input_and_environment_and_gives_output_and_code(
    subject: Subject, tmp_path: Path
) -> None:
    name = await subject.make("exec", Env=["OWN=1"])
    await subject.runtime.start(name)
    run = subject.runtime.execute
    assert (await run(name, ["printenv", "OWN"])).output == "1\n"
    assert (await run(name, ["printenv", "GIVEN"], environment={"GIVEN": "2"})).output == "2\n"
    assert (await run(name, ["printenv", "NONE"])).exit_code == 1
    assert (await run(name, ["no-such-program"])).exit_code == 126
    content = bytes(range(256)) * 4000
    source, into = tmp_path / "source", tmp_path / "into"
    source.write_bytes(content)
    result = await run(name, ["cat"], source=source, into=into)
    assert (result.exit_code, result.output) == (0, "")
    assert into.read_bytes() == content
    assert into.stat().st_mode & 0o777 == 0o600


async def test_a_command_needs_a_running_container(subject: Subject) -> None:
    name = await subject.make("still")
    with pytest.raises(OutsideError):
        await subject.runtime.execute(name, ["true"])


async def test_an_image_is_known_by_name_and_by_id(subject: Subject) -> None:
    image = await subject.runtime.image(PYTHON)
    assert image is not None
    assert await subject.runtime.image(image.id) == image
    assert await subject.runtime.image("berthmaster/none:1") is None
    assert image.id in {item.id for item in await subject.runtime.images()}


@pytest.fixture
async def empty_registry() -> AsyncIterator[str]:
    """The address of a registry that answers and has nothing."""
    version = {"Docker-Distribution-Api-Version": "registry/2.0"}

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/v2/":
            return web.json_response({}, headers=version)
        error = {"code": "MANIFEST_UNKNOWN", "message": "manifest unknown", "detail": {}}
        return web.json_response({"errors": [error]}, status=404, headers=version)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    yield f"127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    await runner.cleanup()


async def test_an_image_that_nobody_has_cannot_be_pulled(
    subject: Subject, empty_registry: str
) -> None:
    with pytest.raises(ImageNotFound):
        await subject.runtime.pull(f"{empty_registry}/berthmaster/no-such-image:1")


async def test_an_image_that_is_here_by_its_id_needs_no_pull(subject: Subject) -> None:
    image = await subject.runtime.image(PYTHON)
    assert image is not None
    await subject.runtime.pull(image.id)


async def test_a_network_is_made_once_and_removed_once(subject: Subject) -> None:
    network = subject.names.network()
    for _ in range(2):
        await subject.runtime.create_network(network, subject.names.labels)
    (found,) = await subject.runtime.networks(subject.names.labels)
    assert (found.name, found.subnets) == (network.name, (network.subnet,))
    for _ in range(2):
        await subject.runtime.remove_network(network.name)
    assert await subject.runtime.networks(subject.names.labels) == ()


async def test_a_network_with_another_subnet_is_refused(subject: Subject) -> None:
    network = subject.names.network()
    await subject.runtime.create_network(network, subject.names.labels)
    other = ReleaseNetwork(network.name, "10.220.0.0/27", "10.220.0.1", "10.220.0.16/28")
    with pytest.raises(OutsideError, match="is there with subnet"):
        await subject.runtime.create_network(other, subject.names.labels)


async def test_two_at_once_make_one_network(subject: Subject) -> None:
    network = subject.names.network()
    make = subject.runtime.create_network
    await asyncio.gather(*(make(network, subject.names.labels) for _ in range(4)))
    assert len(await subject.runtime.networks(subject.names.labels)) == 1


async def test_a_network_whose_making_was_interrupted_can_be_removed_at_once(
    subject: Subject,
) -> None:
    network, runtime = subject.names.network(), subject.runtime
    start = time.monotonic()
    await runtime.create_network(network, subject.names.labels)
    whole = time.monotonic() - start
    await runtime.remove_network(network.name)
    for part in range(6):
        making = asyncio.ensure_future(runtime.create_network(network, subject.names.labels))
        await asyncio.wait({making}, timeout=whole * part / 6)
        making.cancel()
        await asyncio.wait({making})
        await runtime.remove_network(network.name)
        await asyncio.sleep(whole)  # one that was still in the making would appear by now
        assert await runtime.networks(subject.names.labels) == ()


async def test_a_container_of_somebody_else_joins_our_network_and_leaves_it(
    subject: Subject,
) -> None:
    network, runtime = subject.names.network(), subject.runtime
    await runtime.create_network(network, subject.names.labels)
    name = await subject.make("theirs", is_ours=False)
    await runtime.start(name)
    before = await runtime.container(name)
    assert before
    address = str(ip_address(network.gateway) + 4)
    for _ in range(2):
        await runtime.join_network(network.name, before.id, aliases=("db",), address=address)
    joined = await runtime.container(name)
    assert joined
    assert joined.addresses == {**before.addresses, network.name: address}
    assert (joined.id, joined.started_at) == (before.id, before.started_at)
    for _ in range(2):
        await runtime.leave_network(network.name, before.id)
    after = await runtime.container(name)
    assert after
    assert after.addresses == before.addresses
    await runtime.leave_network(network.name, "nobody")
    with pytest.raises(OutsideError):
        await runtime.join_network(network.name, "nobody", aliases=(), address=None)


async def test_nobody_joins_or_leaves_a_network_of_somebody_else(subject: Subject) -> None:
    network, runtime = subject.names.network(), subject.runtime
    await runtime.create_network(network, {"other.test": subject.names.prefix})
    name, volume = await subject.make("theirs", is_ours=False), f"{subject.names.prefix}-v"
    await runtime.create_volume(volume, {"other.test": subject.names.prefix})
    try:
        with pytest.raises(NotAllowed):
            await runtime.join_network(network.name, name, aliases=(), address=None)
        with pytest.raises(NotAllowed):
            await runtime.leave_network(network.name, name)
    finally:
        await _force_remove(runtime, network.name, volume)


async def test_a_volume_is_made_once_and_removed_once(subject: Subject) -> None:
    name = f"{subject.names.prefix}-data"
    for _ in range(2):
        await subject.runtime.create_volume(name, subject.names.labels)
    (found,) = await subject.runtime.volumes(subject.names.labels)
    assert found.name == name
    for _ in range(2):
        await subject.runtime.remove_volume(name)
    assert await subject.runtime.volumes(subject.names.labels) == ()


async def test_what_a_volume_holds_is_counted_without_running_anything(subject: Subject) -> None:
    name = f"{subject.names.prefix}-held"
    await subject.runtime.create_volume(name, subject.names.labels)
    await _fill(subject, name, 300_000)
    assert 300_000 <= (await subject.runtime.volume_sizes())[name] < 400_000


async def _fill(subject: Subject, volume: str, count: int) -> None:
    runtime = subject.runtime
    if isinstance(runtime, FakeRuntime):
        runtime.world.volume_bytes[volume] = count
        return
    config = {
        "Image": PYTHON,
        "Cmd": ["python3", "-c", f"open('/held/rows', 'wb').write(bytes({count}))"],
        "Labels": subject.names.labels,
        "HostConfig": {"Binds": [f"{volume}:/held"]},
    }
    name, docker = f"{subject.names.prefix}-fill", runtime._docker  # type: ignore[attr-defined]
    await docker.containers.create(config, name=name)
    await runtime.start(name)
    assert await runtime.await_exit(name, 20) == 0


async def test_memory_is_told_of_what_runs_and_of_nothing_else(subject: Subject) -> None:
    runs, ended = await subject.make("runs"), await subject.make("ended", ends=0)
    await subject.runtime.start(runs)
    held = await subject.runtime.memory([runs, ended, f"{subject.names.prefix}-absent"])
    assert list(held) == [runs]
    assert held[runs] > 0


async def test_foreign_networks_and_volumes_are_not_removed(subject: Subject) -> None:
    network, volume = subject.names.network(), f"{subject.names.prefix}-foreign"
    foreign = {"other.test": subject.names.prefix}
    await subject.runtime.create_network(network, foreign)
    await subject.runtime.create_volume(volume, foreign)
    try:
        with pytest.raises(NotAllowed):
            await subject.runtime.remove_network(network.name)
        with pytest.raises(NotAllowed):
            await subject.runtime.remove_volume(volume)
    finally:
        await _force_remove(subject.runtime, network.name, volume)


async def _force_remove(runtime: Runtime, network: str, volume: str) -> None:
    if isinstance(runtime, FakeRuntime):
        return
    docker: Any = runtime._docker  # type: ignore[attr-defined]
    await (await docker.networks.get(network)).delete()
    await (await docker.volumes.get(volume)).delete()
