"""Adapters are made when they are used, and a run ends as it should."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.engine.worlds import empty_world

from berthmaster import bootstrap
from berthmaster.adapters.firewall import Iptables
from berthmaster.domain.errors import Interrupted
from berthmaster.domain.routing import Entrypoint, Tls
from berthmaster.ports.outside import Outside
from berthmaster.settings import GatewaySettings, Settings


def test_an_adapter_is_made_once_and_only_when_it_is_used() -> None:
    made: list[list[int]] = []

    def make() -> list[int]:
        made.append([])
        return made[-1]

    lazy = bootstrap.lazily(make)
    assert made == []
    lazy.append(1)
    lazy.append(2)
    assert made == [[1, 2]]


def test_building_the_outside_touches_nothing(tmp_path: Path) -> None:
    before = dict(os.environ)
    bootstrap.build_outside(Settings(state_folder=tmp_path / "state"))
    assert list(tmp_path.iterdir()) == []
    assert dict(os.environ) == before


def test_a_store_that_was_closed_after_a_run_opens_again(tmp_path: Path) -> None:
    outside = bootstrap.build_outside(Settings(state_folder=tmp_path / "state"))

    async def look(world: Outside) -> int:
        return len(world.store.stacks())

    assert bootstrap.run(outside, look) == bootstrap.run(outside, look) == 0
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("number", bootstrap.SIGNALS)
def test_a_signal_lets_the_work_clean_up_and_further_ones_do_not_disturb_it(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned: list[str] = []

    async def work(_: Outside) -> None:
        try:
            signal.raise_signal(number)
            await asyncio.Event().wait()
        finally:
            signal.raise_signal(number)
            await asyncio.sleep(0)
            cleaned.append("done")

    with pytest.raises(Interrupted):
        bootstrap.run(empty_world().outside, work)
    assert cleaned == ["done"]
    assert "kill -9 is safe too" in capsys.readouterr().err


def test_under_nohup_a_lost_terminal_changes_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def work(_: Outside) -> str:
        signal.raise_signal(signal.SIGHUP)
        await asyncio.sleep(0)
        return "done"

    try:
        assert bootstrap.run(empty_world().outside, work) == "done"
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("environ", "said"),
    [({}, "cli"), ({"SSH_CONNECTION": "10.0.0.5 51000 10.0.0.1 22"}, "ssh 10.0.0.5")],
)
def test_a_record_says_from_where_it_was_made(environ: dict[str, str], said: str) -> None:
    assert bootstrap.origin(environ) == said


def test_an_outline_that_is_known_costs_no_import_of_what_reads_files(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "compose.yaml").write_text("services: {web: {image: shop}}\n")
    text = "app: shop\nenvironments: {prod: {}}\ntenancy: {mode: pool, domain: shop.test}\n"
    (tmp_path / "berth.yaml").write_text(text)
    program = (
        "import sys; from pathlib import Path; from berthmaster import bootstrap;"
        " from berthmaster.settings import Settings; folder = Path(sys.argv[1]);"
        " outside = bootstrap.build_outside(Settings(state_folder=folder / 'state'));"
        " found = outside.specs.outline(folder);"
        " print(found.app, found.environments['prod'].suffix, 'pydantic' in sys.modules)"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert said == [["shop", "shop.test", "True"], ["shop", "shop.test", "False"]]


async def test_the_bound_on_new_connections_is_on_tls_entrypoints_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As an observed packet filter without any rule would be told."""

    async def nothing(*_: object) -> str:
        return "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n"

    monkeypatch.setattr(Iptables, "_run", nothing)
    entrypoints = (Entrypoint("http", 80), Entrypoint("https", 443, Tls.LOCAL))
    gateway = GatewaySettings(connections_per_address=50)
    settings = Settings(entrypoints=entrypoints, gateway=gateway)
    outside = bootstrap.build_outside(settings)
    said = await outside.firewall.differences(settings.address_block, outside.listened_ports)
    bound = [line for line in said if "--hashlimit-above 50/sec" in line]
    assert [re.findall(r"-p (\w+) .*--dport (\d+) ", line) for line in bound] == [
        [("tcp", "443")],
        [("udp", "443")],
    ]
