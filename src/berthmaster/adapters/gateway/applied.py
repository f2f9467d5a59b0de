"""Which configuration a process took over last, so that a crash before a reload is noticed."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from berthmaster.adapters.haproxy.record import write_atomically


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A process's configuration file and, beside it, the hash of what the process runs with."""

    path: Path
    content: str
    depends_on: str = ""  # what else needs a reload when it changes

    @property
    def is_applied(self) -> bool:
        """Whether the process took exactly this over."""
        return _text_or_none(self.path) == self.content and _text_or_none(self._mark) == self._hash

    def write(self) -> str | None:
        """Put the file in place; returns what was there."""
        old = _text_or_none(self.path)
        write_atomically(self.path, self.content)
        return old

    def put_back(self, old: str | None) -> None:
        """Undo `write`: the last good configuration stays in place."""
        if old is not None:
            write_atomically(self.path, old)

    def mark_applied(self) -> None:
        """Record that the process runs with it."""
        write_atomically(self._mark, self._hash)

    @property
    def _mark(self) -> Path:
        return self.path.with_name(f"{self.path.name}.applied")

    @property
    def _hash(self) -> str:
        return hashlib.sha256(f"{self.content}\0{self.depends_on}".encode()).hexdigest()


def _text_or_none(path: Path) -> str | None:
    """What is no text any more is not what was written."""
    return path.read_text(errors="replace") if path.exists() else None
