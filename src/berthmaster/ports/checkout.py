"""What is known of an app's files beside their content: their repository and where they say what.

Values of the port `specs`, kept apart from it for their number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Checkout:
    """How the files that a deploy reads stand to their repository; paths from berth.yaml's folder.

    Secrets, env files and built sites belong into no repository and are left out.
    """

    changed: tuple[str, ...] = ()  # tracked below the folder, and not as committed
    untracked: tuple[str, ...] = ()  # read by a deploy, and in no commit
    problem: str = ""  # why git could not tell; empty when it did


@dataclass(frozen=True, slots=True)
class WrittenImage:
    """An image as a Compose file has it, before interpolation."""

    text: str
    location: str  # `compose.yaml:12`


@dataclass(frozen=True, slots=True)
class VersionCatalogue:
    """`versions.env`: the one place for versions of images that others make."""

    path: str
    versions: Mapping[str, str] = field(default_factory=dict)
