"""Other servers with a Berthmaster of their own, asked as a person asks them: by command lines."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended there, and what it wrote to its standard output."""

    code: int
    out: str = ""

    @property
    def value(self) -> Any:
        """Its JSON; None when it is none."""
        try:
            return json.loads(self.out)
        except ValueError:
            return None


class Servers(Protocol):
    """Runs commands on servers; what they say to a person is shown meanwhile."""

    def ask(
        self, server: str, *words: str, given: Path | None = None, taken: Path | None = None
    ) -> Said:
        """Run `berth WORDS` there, with the app's files, to its end.

        `given` is its standard input; its output goes to `taken`, 0600, instead of being returned.
        Raises `OutsideError` when the server cannot be reached or is lost.
        """
        ...
