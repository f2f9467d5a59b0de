"""Reads a container's log line by line; the engine's frames are taken apart by aiodocker."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

from berthmaster.domain.errors import InvalidName

_RELATIVE: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?\Z")


def parse_since(text: str, now: datetime) -> str:
    """Seconds since 1970, as the engine wants them, of `10m`, `1h30m`, `2d` or an ISO time.

    Raises `InvalidName` for anything else.
    """
    if text.replace(".", "", 1).isdigit():
        return text
    if text and (match := _RELATIVE.match(text)):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return f"{(now - span).timestamp():.6f}"
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as exc:
        raise InvalidName(f"{text!r} is no time: write 10m, 2h, 1d or 2026-01-31T12:00:00") from exc
    return f"{(instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp():.6f}"


async def lines_of(pieces: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    """Whole lines, without their ends, out of pieces cut anywhere."""
    rest = ""
    async for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        for line in whole:
            yield line.rstrip("\r")
    if rest:
        yield rest.rstrip("\r")
