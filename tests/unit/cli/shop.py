"""A server in memory with the shop live on it, and `berth` typed at it."""

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.builders import release
from tests.unit.engine.worlds import World, empty_world

from berthmaster.cli.invocation import Invocation
from berthmaster.cli.main import main
from berthmaster.domain.takeover import Takeover
from berthmaster.settings import Settings
from berthmaster.testing.host import FakeHost


@dataclass
class StartedGateway:
    """Comes up at once; what it took is the world's."""

    world: World

    def takeover(self) -> Takeover | None:
        return self.world.gateway.takeover()

    async def take(self, takeover: Takeover | None, entrypoints: Any) -> None:
        await self.world.gateway.take(takeover, entrypoints)

    async def plan(self, entrypoints: Any) -> tuple[str, ...]:
        return ("router: replace what runs by haproxy:next, beside it; nothing is closed",)

    async def up(self, entrypoints: Any) -> tuple[str, ...]:
        return ("the router was replaced",)

    async def down(self) -> None:
        pass


@dataclass
class Answer:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shop:
    """Types commands and reads answers."""

    world: World
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def berth(self, *words: str) -> Answer:
        outside = replace(
            self.world.outside,
            host=FakeHost(),
            gateway=StartedGateway(self.world),
        )
        settings = Settings(state_folder=self.folder / "state")
        self.capsys.readouterr()
        code = main(list(words), Invocation(self.folder, given=outside, given_settings=settings))
        out, err = self.capsys.readouterr()
        return Answer(code, out, err)

    def deploy(self, *numbers: int, **more: Any) -> None:
        for number in numbers:
            asyncio.run(self.world.deploy(release(number, **more)))


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    """Nothing is deployed yet."""
    return Shop(empty_world(), tmp_path, capsys)


@pytest.fixture
def live_shop(shop: Shop) -> Shop:
    """Release 2 is live, release 1 is warm."""
    shop.deploy(1, 2)
    return shop
