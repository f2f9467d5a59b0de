"""The text of a first `berth.yaml`, guessed from the Compose files and saying what is guessed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def propose(folder: Path, models: Mapping[str, Mapping[str, Any]]) -> str:
    """A commented `berth.yaml`."""
    raise NotImplementedError
