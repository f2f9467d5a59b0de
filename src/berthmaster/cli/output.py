"""Results on standard output: tables, JSON, words for times. Knows no use case."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import click

NARROWEST: Final = 30  # columns that a wrapped cell gets even on a narrow terminal
COLOURS: Final = {
    "ok": "green",
    "up": "green",
    "live": "green",
    "succeeded": "green",
    "warm": "cyan",
    "note": "cyan",
    "maintenance": "yellow",
    "suspended": "yellow",
    "degraded": "yellow",
    "unwound": "yellow",
    "outside": "yellow",
    "empty": "bright_black",
    "unknown": "yellow",
    "down": "red",
    "failed": "red",
    "stuck": "red",
    "change": "red",
}


def has_colour(stream: TextIO) -> bool:
    """Whether to colour: a terminal, and nobody said `NO_COLOR` (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str | None, *, bold: bool = False) -> str:
    """Colour for standard output, or the text as it is."""
    if not has_colour(sys.stdout) or (colour is None and not bold):
        return text
    return click.style(text, fg=colour, bold=bold)


def print_json(value: Any) -> None:
    """One JSON document."""
    import json

    click.echo(json.dumps(value, indent=2, default=_plain))


def print_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, coloured: int | None = None
) -> None:
    """Aligned columns; the words of column `coloured` get the colour of what they mean.

    On a terminal that is too narrow for them each row is a few lines instead.
    """
    widths = [max(len(row[index]) for row in [head, *rows]) for index in range(len(head))]
    if rows and sum(widths[:-1]) + 2 * len(widths[:-1]) + min(widths[-1], NARROWEST) > _columns():
        for row in rows:
            _print_block(head, row, coloured)
        return
    click.echo(paint(_line(head, widths), "bright_black"))
    for row in rows:
        *cells, last = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        if coloured is not None:
            cells[coloured] = paint(cells[coloured], COLOURS.get(row[coloured]))
        first, *rest = _wrapped(last, sum(widths[:-1]) + 2 * len(cells))
        click.echo("  ".join([*cells, first]).rstrip())
        for line in rest:
            click.echo(line)


def _print_block(head: Sequence[str], row: Sequence[str], coloured: int | None) -> None:
    """The first cell, and below it the others with their names, as many in a line as fit."""
    click.echo(row[0])
    line, length = "", 0
    for index, (name, cell) in enumerate(zip(head, row, strict=True)):
        if index == 0 or cell in ("", "-"):
            continue
        words = f"{name.lower()} {cell}"
        if line and length + 2 + len(words) > _columns():
            click.echo(line)
            line, length = "", 0
        if 2 + len(words) > _columns():
            for part in _folded(words, _columns() - 2):
                click.echo(f"  {part}")
            continue
        colour = COLOURS.get(cell) if index == coloured else None
        line += f"  {paint(name.lower(), 'bright_black')} {paint(cell, colour)}"
        length += 2 + len(words)
    if line:
        click.echo(line)


def _columns() -> int:
    """Of the terminal; there are enough of them elsewhere."""
    if not sys.stdout.isatty():
        return sys.maxsize
    import shutil

    return shutil.get_terminal_size().columns


def _folded(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, max(width, NARROWEST)) or [""]


def _wrapped(text: str, indent: int) -> list[str]:
    """The last column on a terminal, in as many lines as it needs; elsewhere one line for a row."""
    text = text.rstrip()
    if not sys.stdout.isatty():
        return [text]
    first, *rest = _folded(text, _columns() - indent)
    return [first, *(" " * indent + line for line in rest)]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def age(instant: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in one unit: `12 s`, `5 min`, `3 h`, `9 d`."""
    if instant is None:
        return "-"
    seconds = ((now or datetime.now(UTC)) - instant).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def clock_time(instant: datetime) -> str:
    """The local time of day; the date too when it is not today."""
    local = instant.astimezone()
    is_today = local.date() == datetime.now(UTC).astimezone().date()
    return local.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
