"""Looking into images and volumes: one suite for the twin and the real engine."""

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.contract.docker_world import PYTHON, Names, real_runtime

from berthmaster.adapters.docker import AiodockerRuntime
from berthmaster.domain.errors import OutsideError
from berthmaster.ports.runtime import Runtime
from berthmaster.testing.runtime import FakeRuntime

LOOKS = {"berthmaster.look": ""}


@dataclass(slots=True)
class Subject:
    """A runtime with the image PYTHON, and a volume that holds `PG_VERSION`."""

    runtime: Runtime
    volume: str


@pytest.fixture(params=["twin", pytest.param("real", marks=pytest.mark.docker)])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    names = Names()
    volume = f"{names.prefix}-data"
    if request.param == "twin":
        twin = FakeRuntime()
        image = twin.world.add_image(PYTHON)
        twin.world.programs[image.id] = frozenset({"python3", "/bin/sh"})
        twin.world.volume_files[volume, "PG_VERSION"] = "15\n"
        yield Subject(twin, volume)
        return
    async with real_runtime(names) as runtime:
        await runtime.create_volume(volume, names.labels)
        await _fill(runtime, names, volume)
        yield Subject(runtime, volume)


async def _fill(runtime: AiodockerRuntime, names: Names, volume: str) -> None:
    config: dict[str, Any] = {
        "Image": PYTHON,
        "Cmd": ["true"],
        "Labels": names.labels,
        "HostConfig": {"Binds": [f"{volume}:/data"], "NetworkMode": "none"},
    }
    made = await runtime._docker.containers.create(config, name=f"{names.prefix}-fill")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        member = tarfile.TarInfo("PG_VERSION")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"15\n"))
    await made.put_archive("/data", content.getvalue())  # type: ignore[no-untyped-call]
    await runtime.remove(f"{names.prefix}-fill")


async def test_programs_are_found_on_the_path_and_at_their_place(subject: Subject) -> None:
    wanted = ("python3", "/bin/sh", "no-such-program", "/no/such/file")
    found = await subject.runtime.find_programs(PYTHON, wanted)
    assert found == {"python3", "/bin/sh"}


async def test_an_image_that_is_not_here_cannot_be_looked_into(subject: Subject) -> None:
    with pytest.raises(OutsideError):
        await subject.runtime.find_programs("no/such:image", ("sh",))


async def test_a_text_of_a_volume_is_read(subject: Subject) -> None:
    assert await subject.runtime.volume_text(PYTHON, subject.volume, "PG_VERSION") == "15\n"
    assert await subject.runtime.volume_text(PYTHON, subject.volume, "nothing") is None


async def test_a_look_leaves_nothing_behind(subject: Subject) -> None:
    await subject.runtime.find_programs(PYTHON, ("python3",))
    looking = await subject.runtime.containers(LOOKS)
    async with asyncio.timeout(60):  # somebody else's look ends by itself
        while {item.id for item in looking} & {  # noqa: ASYNC110 - an engine says nothing of it
            item.id for item in await subject.runtime.containers(LOOKS)
        }:
            await asyncio.sleep(0.2)
