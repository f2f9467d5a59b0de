"""What of the engine goes into a backup: one suite for the twin and a real Docker Engine."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.docker_world import Names, real_runtime

from berthmaster.adapters.docker.data import DockerData
from berthmaster.domain.errors import OutsideError
from berthmaster.ports.backups import EngineData
from berthmaster.ports.runtime import Runtime
from berthmaster.testing.backups import FakeEngineData
from berthmaster.testing.runtime import FakeRuntime

IMAGE = "berthmaster/redis:7"


@dataclass(slots=True)
class Subject:
    """The port, the runtime beside it, and a name for a volume."""

    data: EngineData
    runtime: Runtime
    volume: str


@pytest.fixture(params=["twin", pytest.param("real", marks=pytest.mark.docker)])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    if request.param == "twin":
        runtime = FakeRuntime()
        image = runtime.world.add_image(IMAGE)
        runtime.world.remote_images[IMAGE] = image
        yield Subject(FakeEngineData(runtime.world, tmp_path), runtime, "rows")
        return
    names = Names()
    async with real_runtime(names) as real:
        data = DockerData("unix:///var/run/docker.sock", _no_gateway)
        name = f"{names.prefix}-rows"
        yield Subject(data, real, name)
        await real.remove_volume(name)


async def _no_gateway() -> tuple[str, ...]:
    return ()


async def test_an_archive_of_an_image_loads_as_the_same_image(subject: Subject) -> None:
    before = await subject.runtime.image(IMAGE)
    assert before is not None
    chunks = [chunk async for chunk in subject.data.image_archive(before.id)]
    await subject.data.load_image(_again(chunks))
    after = await subject.runtime.image(before.id)
    assert after is not None
    assert after.id == before.id


async def _again(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_an_image_gets_the_name_that_an_archive_by_id_does_not_carry(
    subject: Subject,
) -> None:
    image = await subject.runtime.image(IMAGE)
    assert image is not None
    assert IMAGE in image.tags
    tag = f"localhost:5000/some/{subject.volume}:v1.2-x"
    try:
        await subject.data.name_image(image.id, tag)
        await subject.data.name_image(image.id, tag)
        named = await subject.runtime.image(tag)
        assert named is not None
        assert (named.id, tag in named.tags) == (image.id, True)
    finally:
        await subject.runtime.remove_image(tag)
    with pytest.raises(OutsideError):
        await subject.data.name_image(f"sha256:{'0' * 64}", tag)


async def test_an_image_that_is_not_there_has_no_archive(subject: Subject) -> None:
    with pytest.raises(OutsideError):
        _ = [chunk async for chunk in subject.data.image_archive("berthmaster/nothing:0")]


async def test_a_volume_lies_in_a_folder_of_this_machine(subject: Subject) -> None:
    assert await subject.data.volume_folder(subject.volume) is None
    labels = {"berthmaster.test": "engine-data"}
    await subject.runtime.create_volume(subject.volume, labels)
    folder = await subject.data.volume_folder(subject.volume)
    assert folder is not None
    assert folder.is_dir()
