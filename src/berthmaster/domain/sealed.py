"""The secret part of a release: environment values and the contents of secret files.

Its `repr` shows nothing, so that no log, traceback or debugger line can carry a value.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

# Characters; shorter values (ports, `true`) would blot out half of a message.
SHORTEST_SECRET: Final = 6


@dataclass(frozen=True, slots=True, repr=False)
class SealedValues:
    """What is encrypted in the store and opened only for Compose and for placing files."""

    environment: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict
    )  # rendered service key
    secrets: Mapping[str, bytes] = field(default_factory=dict)  # by `FileCopy.target`

    def __repr__(self) -> str:
        return f"SealedValues({len(self.environment)} services, {len(self.secrets)} secrets)"

    def to_bytes(self) -> bytes:
        """Plain bytes for the vault."""
        secrets = {key: base64.b64encode(value).decode() for key, value in self.secrets.items()}
        data = {"environment": self.environment, "secrets": secrets}
        return json.dumps(data, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, plain: bytes) -> "SealedValues":
        """Read `to_bytes` back."""
        data = json.loads(plain)
        secrets = {key: base64.b64decode(value) for key, value in data["secrets"].items()}
        return cls(data["environment"], secrets)


class Mask:
    """Replaces secret values in text."""

    def __init__(self, values: Iterable[str]) -> None:
        whole = {value for value in values if len(value) >= SHORTEST_SECRET}
        lines = {
            line for value in whole for line in value.splitlines() if len(line) >= SHORTEST_SECRET
        }
        self._values = sorted(whole | lines, key=len, reverse=True)

    def apply(self, text: str) -> str:
        """The text with each value as `***`."""
        for value in self._values:
            text = text.replace(value, "***")
        return text
