"""The responder goes on: without it no certificate is served, however good it is."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from berthmaster.adapters.ask.budget import Budget, Order
from berthmaster.adapters.ask.deciding import Decider
from berthmaster.adapters.ask.serving import Connection, Responder
from berthmaster.adapters.ask.table import AppQuestion, Table

NOW = 1_790_000_000.0


def budget(journal: Path) -> Budget:
    return Budget(journal, lambda name: False, lambda name: name)


def test_a_line_that_was_torn_and_written_on_costs_that_line_only(tmp_path: Path) -> None:
    journal = tmp_path / "orders"
    good = f"{NOW:.3f} pending a.test a.test\n"
    journal.write_text(f"{good}{NOW:.3f}{NOW:.3f} pending b.test b.test\n{good}")
    journal.write_bytes(journal.read_bytes() + b"\xff\xfe\n")
    assert budget(journal).counts()["pending"] == 1


async def _nobody(app: AppQuestion, name: str) -> bool | None:
    return None


class FullDisk:
    """Every open for writing fails, as on a disk without room."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        def refuse(self: Path, mode: str = "r", *rest: object, **more: object) -> object:
            if set(mode) & set("wax+"):
                raise OSError(28, "No space left on device")
            return real(self, mode, *rest, **more)  # type: ignore[call-overload]

        real = Path.open
        patch.setattr(Path, "open", refuse)


def test_it_starts_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = tmp_path / "orders"
    journal.write_text(f"{NOW:.3f} issued a.test a.test\n")
    FullDisk(monkeypatch)
    found = budget(journal)
    found.compact(NOW)
    assert found.counts()["issued"] == 1


def test_what_cannot_be_written_down_is_not_ordered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = tmp_path / "hosts.map"
    maps.write_text("https|a.test shop-prod\n")
    table = Table(maps, tmp_path / "apps.json", frozenset({"https"}))
    counted = budget(tmp_path / "orders")
    decider = Decider(table, counted, lambda name: False, _nobody, clock=lambda: NOW)
    with monkeypatch.context() as patch:
        FullDisk(patch)
        refused = decider.decide_now("a.test")
    assert refused is not None
    assert (refused.is_allowed, "cannot be counted" in refused.reason) == (False, True)
    assert counted.counts()["pending"] == 0
    allowed = decider.decide_now("a.test")
    assert allowed is not None
    assert allowed.is_allowed
    assert budget(tmp_path / "orders").counts()["pending"] == 1


def test_an_end_that_cannot_be_written_down_is_still_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = budget(tmp_path / "orders")
    assert isinstance(found.place("a.test", NOW), Order)
    FullDisk(monkeypatch)
    found.settle(NOW + 600)
    assert found.counts() == {"pending": 0, "issued": 0, "failed": 1}


class Peer(asyncio.Transport):
    """Whoever asked; keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.said += bytes(data)

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        return None


def ask(gateway: Path, target: str) -> bytes:
    (gateway / "ask").mkdir(exist_ok=True)
    connection, peer = Connection(Responder(gateway, frozenset({"https"}))), Peer()
    connection.connection_made(peer)
    connection.data_received(f"GET {target} HTTP/1.1\r\n\r\n".encode())
    return peer.said


def test_what_is_no_address_is_answered(tmp_path: Path) -> None:
    assert ask(tmp_path, "//[").startswith(b"HTTP/1.1 400 ")


def test_nobody_reading_its_log_stops_no_handshake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        monkeypatch.setattr(sys, "stdout", nobody)
        assert ask(tmp_path, "/ask?domain=a.test").startswith(b"HTTP/1.1 403 ")
