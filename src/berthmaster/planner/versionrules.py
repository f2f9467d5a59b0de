"""Images whose version the catalogue `versions.env` manages: nowhere else may it be written.

Pure. `POSTGRES_VERSION=16.11`, `POSTGRES_TAG=16.11` and `POSTGRES_IMAGE=postgres:16.11` manage
every image named `postgres`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from berthmaster.planner import composemodel as compose
from berthmaster.ports.checkout import VersionCatalogue, WrittenImage

_WHOLE: Final = "_IMAGE"
_ENDS: Final = ("_VERSION", "_TAG", _WHOLE)


@dataclass(frozen=True, slots=True)
class VersionFinding:
    """One image that goes its own way."""

    service: str
    evidence: str
    remedy: str


def find_own_versions(
    catalogue: VersionCatalogue,
    written: Mapping[str, WrittenImage],
    rendered: Mapping[str, str],
) -> Iterator[VersionFinding]:
    """Images with a version of their own; `rendered` holds references by service."""
    for service, reference in sorted(rendered.items()):
        key = _key_of(reference, catalogue)
        text = written.get(service)
        if key is None or text is None:
            continue
        wanted, is_whole = catalogue.versions[key], key.endswith(_WHOLE)
        runs = reference if is_whole else compose.tag_of(reference)
        if not re.search(rf"\$\{{?{key}\b", text.text):
            name = text.text.rpartition(":")[0] or text.text
            yield VersionFinding(
                service,
                f"{text.location}: {text.text} is written out; {catalogue.path} manages {key}",
                f"write image: ${{{key}}}" if is_whole else f"write image: {name}:${{{key}}}",
            )
        elif runs != wanted:
            yield VersionFinding(
                service,
                f"{text.location}: runs {reference}; {catalogue.path} says {key}={wanted}",
                f"take {key} out of the other env files",
            )


def _key_of(reference: str, catalogue: VersionCatalogue) -> str | None:
    name = re.sub(r"[^A-Z0-9]", "_", compose.image_name(reference).upper())
    return next((name + end for end in _ENDS if name + end in catalogue.versions), None)
