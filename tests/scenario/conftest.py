"""The one server of a run, and fresh apps on it."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.scenario.dsl import App, MakeApp
from tests.scenario.server import Server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Registry, images and gateway; all of it goes away, whatever happened."""
    made = Server()
    try:
        asyncio.run(made.set_up())
        yield made
    finally:
        asyncio.run(made.destroy())


@pytest.fixture
async def app(server: Server) -> AsyncIterator[MakeApp]:
    """Make apps from folders of `testdata`; their stacks end with the test."""
    made: list[App] = []

    def make(data: str, environment: str = "prod") -> App:
        made.append(App(server, f"{data}{next(_numbers)}", environment).write(data))
        return made[-1]

    yield make
    for one in made:
        await server.remove_app(one.name)
