"""The gateway's processes in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from berthmaster.domain.routing import Entrypoint
from berthmaster.domain.takeover import Takeover
from berthmaster.testing.world import FakeEngine


@dataclass(slots=True)
class FakeGateway:
    """`ports.gateway.GatewayProcesses`: always up, on what it was told last."""

    engine: FakeEngine = field(default_factory=FakeEngine)
    taken: Takeover | None = None

    async def plan(self, entrypoints: Sequence[Entrypoint]) -> tuple[str, ...]:
        return ()

    async def up(self, entrypoints: Sequence[Entrypoint]) -> tuple[str, ...]:
        return ()

    async def down(self) -> None:
        return None

    def takeover(self) -> Takeover | None:
        return self.taken

    async def take(self, takeover: Takeover | None, entrypoints: Sequence[Entrypoint]) -> None:
        with self.engine.calling("gateway.take"):
            self.taken = takeover
