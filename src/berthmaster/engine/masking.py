"""The secret values of a release, hidden in what its containers printed.

An app that cannot log in likes to print how it tried, and its last lines go into reports, records
and the output of CI. Other values stay readable: they are what a person looks for there.
"""

import re
from collections.abc import Iterator
from typing import Final

from berthmaster.domain.errors import OutsideError
from berthmaster.domain.release import Release
from berthmaster.domain.sealed import Mask, SealedValues
from berthmaster.planner.secretkinds import is_secret_name
from berthmaster.ports.outside import Outside

_COPIES: Final = "secrets/"  # where a release's copies of them lie
_IN_URL: Final = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")


def mask_of(outside: Outside, release: Release) -> Mask:
    """A mask over them; of values that cannot be opened nobody knows what to hide."""
    try:
        sealed = SealedValues.from_bytes(outside.vault.open(release.sealed))
    except OutsideError:
        return Mask(())
    return Mask(_secrets(sealed))


def _secrets(sealed: SealedValues) -> Iterator[str]:
    for target, content in sealed.secrets.items():
        if target.startswith(_COPIES):
            yield content.decode(errors="replace").strip()
    for values in sealed.environment.values():
        for name, value in values.items():
            if is_secret_name(name):
                yield value.strip()
            yield from _IN_URL.findall(value)
