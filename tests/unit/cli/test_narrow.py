"""Tables on a terminal that is too narrow for their columns."""

import pytest

from berthmaster.cli import output

HEAD = ("TENANT", "STATE", "DOMAIN", "DISK", "NOTES")
LONG = (
    "statuswatch@prod/international-widgets",
    "degraded",
    "international-widgets.clients.example.com",
    "1200 MB",
    "it is degraded: 1 of 2 containers run; until 2026-12-31",
)
SHORT = ("shop@prod/acme", "up", "-", "3 MB", "")


COLUMNS = 80


def on_terminal(
    patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *rows: tuple[str, ...]
) -> list[str]:
    patch.setattr("sys.stdout.isatty", lambda: True)
    patch.setenv("COLUMNS", str(COLUMNS))
    patch.setenv("NO_COLOR", "1")
    return printed(capsys, *rows)


def printed(capsys: pytest.CaptureFixture[str], *rows: tuple[str, ...]) -> list[str]:
    output.print_table(HEAD, rows, coloured=1)
    return capsys.readouterr().out.splitlines()


def test_no_line_is_longer_than_the_terminal_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = on_terminal(monkeypatch, capsys, LONG, SHORT)
    assert max(map(len, lines)) <= COLUMNS
    text = " ".join(" ".join(lines).split())
    for cell in (*LONG[:-1], *SHORT[:2], SHORT[3], *LONG[-1].split()):
        assert cell in text


def test_what_does_not_fit_side_by_side_stands_below(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert on_terminal(monkeypatch, capsys, LONG, SHORT) == [
        "statuswatch@prod/international-widgets",
        "  state degraded  domain international-widgets.clients.example.com  disk 1200 MB",
        "  notes it is degraded: 1 of 2 containers run; until 2026-12-31",
        "shop@prod/acme",
        "  state up  disk 3 MB",
    ]


def test_what_fits_stays_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert on_terminal(monkeypatch, capsys, SHORT) == [
        "TENANT          STATE  DOMAIN  DISK  NOTES",
        "shop@prod/acme  up     -       3 MB",
    ]


def test_a_pipe_gets_a_line_for_each_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    assert len(printed(capsys, LONG, SHORT)) == 3
