"""`berth -S`: a laptop and real servers behind real sshds, each with an engine of its own."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.scenario.engine import IMAGES
from tests.scenario.sshd import Far, Laptop

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def web1() -> Iterator[Far]:
    """One server for all tests of this file."""
    server = Far("web1", 11)
    try:
        yield server.start(IMAGES)
    finally:
        server.destroy()


@pytest.fixture
async def laptop(web1: Far) -> AsyncIterator[Laptop]:
    made = Laptop(Path(tempfile.mkdtemp(prefix="bl-")) / "l").knows(web1)
    yield made
    await made.leave()
    shutil.rmtree(made.root.parent, ignore_errors=True)


async def test_a_command_says_the_same_there_and_here(laptop: Laptop, web1: Far) -> None:
    for words in (["status"], ["status", "--json"], ["show", "d99"], ["show", "d99", "--json"]):
        there, here = await asyncio.gather(laptop.berth("-S", "web1", *words), web1.berth(*words))
        assert (there.code, there.out, there.err) == (here.code, here.out, here.err)
