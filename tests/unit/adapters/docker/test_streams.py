from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from berthmaster.adapters.docker import listening, log, pulling
from berthmaster.domain.errors import InvalidName

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def _pieces(*pieces: str) -> AsyncIterator[str]:
    for piece in pieces:
        yield piece


async def test_lines_are_put_together_from_pieces() -> None:
    pieces = _pieces("on", "e\ntw", "o\r\n", "\nlast")
    assert [line async for line in log.lines_of(pieces)] == ["one", "two", "", "last"]


@pytest.mark.parametrize(
    ("text", "seconds_before"),
    [("10m", 600), ("1h30m", 5400), ("2d", 172800), ("2025-12-31T23:59:00", 60)],
)
def test_since_is_understood(text: str, seconds_before: int) -> None:
    assert float(log.parse_since(text, NOW)) == NOW.timestamp() - seconds_before


def test_since_takes_the_engine_s_own_number() -> None:
    assert log.parse_since("1700000000.5", NOW) == "1700000000.5"


@pytest.mark.parametrize("text", ["", "yesterday", "-5m", "10x"])
def test_since_refuses_what_it_does_not_understand(text: str) -> None:
    with pytest.raises(InvalidName):
        log.parse_since(text, NOW)


def test_progress_adds_up_layers_and_ends_full() -> None:
    seen: list[tuple[str, int, int]] = []
    progress = pulling.Progress("shop:1", lambda *row: seen.append(row))
    for layer, status, current in (
        ("a", "Downloading", 10),
        ("b", "Downloading", 0),
        ("a", "Extracting", 90),
        ("b", "Download complete", 0),
        ("a", "Download complete", 0),
        ("c", "Already exists", 0),
    ):
        detail = {"current": current, "total": 100}
        progress.take({"id": layer, "status": status, "progressDetail": detail})
    assert seen == [
        ("shop:1", 10, 100),
        ("shop:1", 10, 200),
        ("shop:1", 110, 200),
        ("shop:1", 200, 200),
    ]


def test_listeners_are_read_from_proc(tmp_path: Path) -> None:
    head = "  sl  local_address rem_address   st\n"
    folder = tmp_path / "7" / "net"
    folder.mkdir(parents=True)
    (folder / "tcp").write_text(
        f"{head}   0: 0100007F:1F40 00000000:0000 0A 0\n"
        "   1: 0B00007F:ABCD 00000000:0000 0A 0\n"
        "   2: 0200C90A:1F90 00000000:0000 01 0\n"
    )
    (folder / "tcp6").write_text(f"{head}   0: {'0' * 32}:0050 {'0' * 32}:0000 0A 0\n")
    assert listening.read_listeners(7, tmp_path) == ("127.0.0.1:8000", "[::]:80")


def test_callers_are_read_from_proc_those_of_a_moment_ago_too(tmp_path: Path) -> None:
    head = "  sl  local_address rem_address   st\n"
    folder = tmp_path / "7" / "net"
    folder.mkdir(parents=True)
    (folder / "tcp").write_text(
        f"{head}   0: 00000000:1F40 00000000:0000 0A 0\n"
        "   1: 02001CAC:1F40 05001CAC:ABCD 01 0\n"
        "   2: 02001CAC:1F90 06001CAC:ABCD 01 0\n"  # another port
    )
    mapped = "0000000000000000FFFF0000"
    (folder / "tcp6").write_text(f"{head}   0: {mapped}02001CAC:1F40 {mapped}07001CAC:1234 06 0\n")
    assert listening.read_callers(7, (8000,), tmp_path) == ("172.28.0.5", "172.28.0.7")
    assert listening.read_callers(7, (), tmp_path) == ()
    assert listening.read_callers(0, (8000,)) == ()


def test_a_process_that_is_gone_listens_nowhere(tmp_path: Path) -> None:
    assert listening.read_listeners(7, tmp_path) == ()
    assert listening.read_listeners(0) == ()
