"""Reads an image reference the way Docker does: which registry, which name, which tag or digest."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from berthmaster.domain.errors import InvalidName

HUB: Final = "docker.io"
_HUB_NAMES: Final = frozenset({HUB, "index.docker.io", "registry-1.docker.io"})
_HUB_HOST: Final = "registry-1.docker.io"
# Grammar of the distribution specification: https://github.com/distribution/reference
_NAME: Final = re.compile(
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*\Z"
)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?\Z"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """`registry/name:tag@digest`, with Docker's defaults filled in."""

    registry: str  # as credentials name it: `docker.io`, `registry.example.com:5000`
    name: str
    tag: str
    digest: str | None = None

    @property
    def base_url(self) -> str:
        """Where its registry answers; plain HTTP only on this machine."""
        host = _HUB_HOST if self.registry == HUB else self.registry
        return f"{'http' if _is_local(host) else 'https'}://{host}"

    @property
    def manifest_path(self) -> str:
        """Where its manifest is, below `/v2/<name>/`."""
        return f"manifests/{self.digest or self.tag}"

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}:{self.tag}"


def parse_reference(text: str) -> Reference:
    """Parse `[REGISTRY/]NAME[:TAG][@DIGEST]`; raises `InvalidName` when it is none."""
    rest, _, digest = text.partition("@")
    registry, name = _split_registry(rest)
    name, colon, tag = name.partition(":")
    if registry == HUB and "/" not in name:
        name = f"library/{name}"
    tag = tag if colon else "latest"
    is_good = _HOST.match(registry) and _NAME.match(name) and _TAG.match(tag)
    if not is_good or ("@" in text and not _DIGEST.match(digest)):
        raise InvalidName(f"{text!r} is no image reference: write [REGISTRY/]NAME[:TAG]")
    return Reference(registry, name, tag, digest or None)


def _split_registry(text: str) -> tuple[str, str]:
    """The first part is a registry only when it looks like a host; else all is Docker Hub's."""
    first, slash, rest = text.partition("/")
    is_host = "." in first or ":" in first or first == "localhost"
    if not slash or not is_host:
        return HUB, text
    return (HUB if first in _HUB_NAMES else first), rest


def _is_local(host: str) -> bool:
    name = host.rpartition(":")[0] if re.search(r":\d+\Z", host) else host
    if name == "localhost":
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
