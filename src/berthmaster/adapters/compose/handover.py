"""Hands a complete model to Compose in a file that nobody else can read and that does not stay.

Models hold secret values. The file is 0600 in a 0700 folder in memory (`/run`); one that a killed
run left behind is removed by the next. `$` is literal in our models and doubled only here, because
Compose interpolates every file that it reads.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

RUN_FOLDER: Final = Path("/run/berthmaster/compose")


@contextmanager
def handed_over(model: Mapping[str, Any]) -> Iterator[Path]:
    """The model's file, for as long as the block runs."""
    root = _root()
    _sweep(root)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=root))
    try:
        path = folder / "compose.json"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(escape(model), file)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def escape(value: Any) -> Any:
    """Double every `$` in values; Compose does not interpolate keys."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: escape(item) for key, item in value.items()}
    return [escape(item) for item in value] if isinstance(value, list | tuple) else value


def unescape(value: Any) -> Any:
    """Undo what `config` does to every `$` of its output, keys included."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, dict):
        return {unescape(key): unescape(item) for key, item in value.items()}
    return [unescape(item) for item in value] if isinstance(value, list) else value


def _root() -> Path:
    try:
        RUN_FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(RUN_FOLDER, os.W_OK) and RUN_FOLDER.stat().st_uid == os.geteuid():
            RUN_FOLDER.chmod(0o700)
            return RUN_FOLDER
    except OSError:
        pass
    return Path(tempfile.gettempdir())  # each folder in it is 0700 by itself


def _sweep(root: Path) -> None:
    if root != RUN_FOLDER:
        return
    for folder in root.iterdir():
        owner = folder.name.partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)
