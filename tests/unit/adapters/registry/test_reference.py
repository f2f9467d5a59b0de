import pytest

from berthmaster.adapters.registry.reference import parse_reference
from berthmaster.domain.errors import InvalidName


@pytest.mark.parametrize(
    ("text", "registry", "name", "tag"),
    [
        ("redis", "docker.io", "library/redis", "latest"),
        ("redis:7", "docker.io", "library/redis", "7"),
        ("team/shop:v1", "docker.io", "team/shop", "v1"),
        ("index.docker.io/team/shop", "docker.io", "team/shop", "latest"),
        ("ghcr.io/team/shop/web:sha-1", "ghcr.io", "team/shop/web", "sha-1"),
        ("localhost/shop:v1", "localhost", "shop", "v1"),
        ("localhost:5000/shop", "localhost:5000", "shop", "latest"),
        ("registry.test:5000/a/b:1", "registry.test:5000", "a/b", "1"),
        ("[::1]:5000/shop:1", "[::1]:5000", "shop", "1"),
    ],
)
def test_a_reference_is_read_as_docker_reads_it(
    text: str, registry: str, name: str, tag: str
) -> None:
    found = parse_reference(text)
    assert (found.registry, found.name, found.tag) == (registry, name, tag)


def test_a_digest_is_kept_beside_the_tag() -> None:
    digest = f"sha256:{'0' * 64}"
    found = parse_reference(f"registry.test/shop:v1@{digest}")
    assert (found.tag, found.digest) == ("v1", digest)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("redis", "https://registry-1.docker.io"),
        ("ghcr.io/a/b", "https://ghcr.io"),
        ("localhost:5000/a", "http://localhost:5000"),
        ("127.0.0.1:5000/a", "http://127.0.0.1:5000"),
        ("[::1]:5000/a", "http://[::1]:5000"),
        ("10.0.0.5:5000/a", "https://10.0.0.5:5000"),
        ("localhost.evil.test/a", "https://localhost.evil.test"),
    ],
)
def test_only_this_machine_is_asked_without_tls(text: str, url: str) -> None:
    assert parse_reference(text).base_url == url


@pytest.mark.parametrize(
    "text",
    ["", "Shop:v1", "shop:", "shop:v 1", "-shop", "a//b", "shop@sha256:12", "shop:v1\n", "a.b@c/d"],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_reference(text)
