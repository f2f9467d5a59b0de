"""Which variables the files interpolate: from Compose where it can say, else from their text."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_USE: Final = re.compile(r"(?<!\$)(?:\$\$)*\$(?:\{(\w+)(?:(:?[-?+])([^}]*))?\}|(\w+))")
_NAME: Final = "NAME"
_DEFAULT: Final = "DEFAULT VALUE"
_ALTERNATE: Final = "ALTERNATE VALUE"


def parse_table(text: str) -> Mapping[str, str | None]:
    """Read the table of `config --variables`; an empty default reads as None.

    The columns start where their titles do.
    """
    header, *rows = text.splitlines() or [""]
    start, end = header.find(_DEFAULT), header.find(_ALTERNATE)
    if not header.startswith(_NAME) or start < 0:
        return {}
    names = {
        row.split(maxsplit=1)[0]: row[start:end].strip() or None for row in rows if row.strip()
    }
    return dict(sorted(names.items()))


def scan_files(files: Iterable[Path]) -> Mapping[str, str | None]:
    """Read them from the files' text, for a Compose without `--variables`; comments count too."""
    found: dict[str, str | None] = {}
    for path in files:
        for braced, operator, default, plain in _USE.findall(_text(path)):
            is_default = operator.endswith("-")
            found.setdefault(braced or plain, default if is_default and default else None)
    return dict(sorted(found.items()))


def _text(path: Path) -> str:
    """What may not be read names nothing here: Compose says so when it renders."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
