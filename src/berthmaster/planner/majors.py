"""Which database an image is and of which major version: another one cannot read the same data.

The version comes from the variables that official images set, else from the tag. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from berthmaster.planner import composemodel as compose

# A word in the image's name, the family it means, how many parts of its version are the major one,
# and the variables that its official image sets (read from their Dockerfiles).
_FAMILIES: Final = (
    ("postg", "postgres", 1, ("PG_MAJOR", "PG_VERSION")),
    ("timescale", "postgres", 1, ("PG_MAJOR", "PG_VERSION")),
    ("pgvector", "postgres", 1, ("PG_MAJOR", "PG_VERSION")),
    ("mariadb", "mariadb", 2, ("MARIADB_VERSION",)),
    ("mysql", "mysql", 2, ("MYSQL_VERSION", "MYSQL_MAJOR")),
    ("mongo", "mongo", 2, ("MONGO_MAJOR", "MONGO_VERSION")),
    ("redis", "redis", 1, ("REDIS_VERSION",)),
)
_VERSION: Final = re.compile(r"(?:\d+:)?(\d+(?:\.\d+)*)")
_PG_TAG: Final = re.compile(r"(?:^|[-_])pg(\d+)")


@dataclass(frozen=True, slots=True)
class DatabaseVersion:
    """A database and its major version; an unknown one is empty."""

    family: str
    major: str

    def __str__(self) -> str:
        return f"{self.family} {self.major}".rstrip()


def database_version(reference: str, environment: Mapping[str, str]) -> DatabaseVersion | None:
    """Read it from an image's reference and its own environment; None for what is no database."""
    name = compose.image_name(reference)
    for word, family, parts, variables in _FAMILIES:
        if word not in name:
            continue
        said = [environment[key] for key in variables if environment.get(key)]
        tag = compose.tag_of(reference) or ""
        if family == "postgres" and (match := _PG_TAG.search(tag)):
            said.append(match.group(1))
        return DatabaseVersion(family, major_of(next(iter(said), tag), parts))
    return None


def told_by_environment(environment: Mapping[str, str]) -> DatabaseVersion | None:
    """The same of an image whose name nobody knows, by the variables of official images."""
    for _, family, parts, variables in _FAMILIES:
        if said := next((environment[key] for key in variables if environment.get(key)), None):
            return DatabaseVersion(family, major_of(said, parts))
    return None


def major_of(text: str, parts: int) -> str:
    """The major version in front of a text; empty when it has none, or not enough of it."""
    match = _VERSION.match(text.removeprefix("v"))
    numbers = match.group(1).split(".") if match else []
    return ".".join(numbers[:parts]) if len(numbers) >= parts else ""


def refusal(old: DatabaseVersion | None, new: DatabaseVersion | None) -> str:
    """Why the new one may not open the old one's data; empty when it may, or nobody knows."""
    if old is None:
        return ""
    if new is None or new.family != old.family:
        return f"its data is of {old}, and {new or 'the new image'} cannot read it"
    if old.major and new.major and old.major != new.major:
        return f"{old} -> {new}: a major version does not open the data of another one"
    if not (old.major and new.major) and old.family != "postgres":
        # NOTE: PostgreSQL itself refuses foreign data untouched, the others upgrade it for good.
        return f"{old} -> {new}: the version cannot be told, so name it in the image's tag"
    return ""
