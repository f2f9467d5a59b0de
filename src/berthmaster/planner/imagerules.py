"""Rules about images in strict environments: nothing is built there, and a tag must not move.

Each finding is (rule, evidence, remedy).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from berthmaster.planner import composemodel as compose

MUTABLE_TAGS: Final = frozenset(
    {
        "beta",
        "canary",
        "dev",
        "develop",
        "development",
        "edge",
        "latest",
        "main",
        "master",
        "next",
        "nightly",
        "prod",
        "production",
        "snapshot",
        "stable",
        "staging",
        "trunk",
        "unstable",
    }
)


def findings(service: Mapping[str, Any], *, is_named: bool) -> Iterator[tuple[str, str, str]]:
    """What a strict environment refuses about a service's image."""
    image = str(service.get("image") or "")
    if not image:
        yield "build", "has a `build` and no `image`", "build and push it, and name it as `image`"
        return
    if service.get("build") and service.get("pull_policy") == "build":
        remedy = "images come ready-made here: take `pull_policy: build` out of this environment"
        yield "build", "has a `build` and `pull_policy: build`", remedy
    tag = compose.tag_of(image)
    if tag is None or is_named:
        return
    shown = "no tag" if tag == "latest" and not image.endswith(":latest") else f"the tag `{tag}`"
    if tag.lower() in MUTABLE_TAGS:
        remedy = "name a version in the Compose file, or give --tag; it is recorded as a digest"
        yield "mutable_tag", f"{image} has {shown}, which moves", remedy
