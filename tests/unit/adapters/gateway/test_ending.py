"""A process that loses the signal that it was sent is asked to end again."""

import asyncio
from typing import Any, cast

import aiodocker
import pytest

from berthmaster.adapters.gateway import containers
from berthmaster.adapters.gateway.process import LABEL_GATEWAY


class Engine:
    """One container that runs, and ends when it has heard its signal so often."""

    def __init__(self, deaf_to: int) -> None:
        self.signals: list[str] = []
        self.is_removed = False
        self.deaf_to = deaf_to
        self.has_ended = asyncio.Event()
        self.containers = self

    async def get(self, _: str) -> "Engine":
        return self

    def container(self, _: str) -> "Engine":
        return self

    async def show(self) -> dict[str, Any]:
        config = {"Labels": {LABEL_GATEWAY: "router"}, "StopSignal": "SIGUSR1"}
        return {"Id": "1", "Config": config, "State": {"Running": True}}

    async def stop(self, t: int) -> None:
        self.hear("stop")
        await asyncio.wait_for(self.has_ended.wait(), t)

    async def kill(self, signal: str) -> None:
        self.hear(signal)
        if self.has_ended.is_set():
            raise aiodocker.DockerError(409, "it is not running")

    def hear(self, signal: str) -> None:
        self.signals.append(signal)
        if len(self.signals) > self.deaf_to:
            self.has_ended.set()

    async def delete(self, *, force: bool, v: bool) -> None:
        self.is_removed = force and v


@pytest.mark.parametrize("deaf_to", [0, 1, 2])
async def test_it_is_asked_until_it_ends(deaf_to: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_AGAIN_SECONDS", 0.01)
    engine = Engine(deaf_to)
    await containers.Containers(cast(aiodocker.Docker, engine)).remove("router", 60)
    assert engine.signals[: deaf_to + 1] == ["stop", *["SIGUSR1"] * deaf_to]
    assert engine.is_removed
