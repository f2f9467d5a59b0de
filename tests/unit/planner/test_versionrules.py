"""Images that the catalogue manages may not go their own way."""

import pytest

from berthmaster.planner.versionrules import find_own_versions
from berthmaster.ports.checkout import VersionCatalogue, WrittenImage

CATALOGUE = VersionCatalogue(
    "versions.env",
    {"POSTGRES_VERSION": "16.11", "REDIS_TAG": "7.4", "NGINX_IMAGE": "mirror.test/nginx:1.28"},
)


def found(text: str, rendered: str) -> list[str]:
    written = {"one": WrittenImage(text, "compose.yaml:3")}
    return [item.evidence for item in find_own_versions(CATALOGUE, written, {"one": rendered})]


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("postgres:${POSTGRES_VERSION}", "postgres:16.11"),
        (
            "registry.test/library/postgres:${POSTGRES_VERSION:?}",
            "registry.test/library/postgres:16.11",
        ),
        ("redis:$REDIS_TAG", "redis:7.4"),
        ("${NGINX_IMAGE}", "mirror.test/nginx:1.28"),
        ("caddy:2", "caddy:2"),
        ("shop:${IMAGE_TAG}", "shop:v2"),
    ],
)
def test_an_image_with_its_version_from_the_catalogue_is_good(text: str, rendered: str) -> None:
    assert found(text, rendered) == []


@pytest.mark.requirement("R318", "R348", "R374")
def test_a_version_that_is_written_out_is_named_with_its_line() -> None:
    assert found("postgres:16.11", "postgres:16.11") == [
        "compose.yaml:3: postgres:16.11 is written out; versions.env manages POSTGRES_VERSION"
    ]


def test_a_version_that_another_file_changed_is_named() -> None:
    assert found("redis:${REDIS_TAG}", "redis:6") == [
        "compose.yaml:3: runs redis:6; versions.env says REDIS_TAG=7.4"
    ]


def test_a_whole_reference_may_be_managed_too() -> None:
    assert found("nginx:1.27", "nginx:1.27") == [
        "compose.yaml:3: nginx:1.27 is written out; versions.env manages NGINX_IMAGE"
    ]
