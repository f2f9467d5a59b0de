"""Typing `berth server restore` on a fresh machine, over twins."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.builders import SHOP, release
from tests.unit.services.test_lost_server import Machine, NoUnits, machine

from berthmaster import bootstrap
from berthmaster.cli.invocation import Invocation
from berthmaster.cli.main import main
from berthmaster.domain.routing import Entrypoint
from berthmaster.domain.takeover import Replaced, TakenPort, Takeover, render_takeover
from berthmaster.ports.outside import Outside
from berthmaster.settings import Settings
from berthmaster.testing.backups import CODE

SETTINGS = """
state_folder = "{state}"
address_block = "10.201.0.0/16"
[[entrypoints]]
name = "https"
port = 8443
tls = "local"
"""


@dataclass
class ListeningGateway:
    """Remembers the ports that it was brought up on."""

    ports: list[tuple[int, ...]] = field(default_factory=list)

    async def plan(self, entrypoints: Sequence[Entrypoint]) -> tuple[str, ...]:
        return ()

    async def up(self, entrypoints: Sequence[Entrypoint]) -> tuple[str, ...]:
        self.ports.append(
            tuple(port for item in entrypoints for port in (item.port, item.also) if port)
        )
        return ()


@dataclass
class Lost:
    """A machine that is gone, and another one in its place."""

    fresh: Machine
    gateway: ListeningGateway
    folder: Path

    def restore(self) -> int:
        code = self.folder / "code"
        code.write_text(CODE)
        words = ["server", "restore", "--from", "/srv/b", "--code-file", str(code)]
        return main(words, Invocation(self.folder))


def lose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: Takeover | None) -> Lost:
    """A server whose state is in a backup only."""
    old = machine(tmp_path / "state", tmp_path / "volumes")
    asyncio.run(_live_and_save(old, taken))
    fresh, gateway = asyncio.run(old.lose(tmp_path / "fresh")), ListeningGateway()

    def build_outside(settings: Settings) -> Outside:
        ports = (settings.entrypoints, cast(Any, gateway))
        return replace(fresh.world.outside, entrypoints=ports[0], gateway=ports[1])

    (tmp_path / "settings.toml").write_text(SETTINGS.format(state=tmp_path / "state"))
    monkeypatch.setenv("BERTHMASTER_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.setattr(bootstrap, "build_outside", build_outside)
    monkeypatch.setattr(bootstrap, "build_backups", lambda *_: fresh.backups)
    monkeypatch.setattr(bootstrap, "build_engine_data", lambda _: fresh.data)
    monkeypatch.setattr(bootstrap, "build_units", lambda _: NoUnits())
    return Lost(fresh, gateway, tmp_path)


async def _live_and_save(old: Machine, taken: Takeover | None) -> None:
    await old.world.deploy(release(1))
    (old.state / "gateway").mkdir()
    if taken:
        (old.state / "gateway/takeover.json").write_text(render_takeover(taken))
    await old.back_up()


def test_the_gateway_listens_on_the_ports_again_that_were_taken_from_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Replaced("id", "old-proxy-1", "always", (443,))
    taken = Takeover(str(SHOP), proxy, (TakenPort("https", 443),), listens=True)
    lost = lose(tmp_path, monkeypatch, taken)
    assert lost.restore() == 0
    assert lost.gateway.ports[-1] == (8443, 443)


def test_a_gateway_that_took_nothing_is_brought_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = lose(tmp_path, monkeypatch, None)
    assert lost.restore() == 0
    assert lost.gateway.ports == [(8443,)]
