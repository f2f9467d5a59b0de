import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from berthmaster.adapters.registry import DockerCredentials

AUTH = base64.b64encode(b"deploy:pa:ss").decode()


def _credentials(tmp_path: Path, config: Any) -> DockerCredentials:
    path = tmp_path / "config.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    return DockerCredentials(path)


@pytest.mark.parametrize(
    ("key", "reference"),
    [
        ("ghcr.io", "ghcr.io/team/shop:v1"),
        ("https://registry.test:5000", "registry.test:5000/shop"),
        ("https://index.docker.io/v1/", "team/shop"),
        ("docker.io", "redis:7"),
    ],
)
def test_a_login_is_found_under_the_key_that_docker_uses(
    tmp_path: Path, key: str, reference: str
) -> None:
    credentials = _credentials(tmp_path, {"auths": {key: {"auth": AUTH}}})
    assert credentials(reference) == {"username": "deploy", "password": "pa:ss"}


def test_an_identity_token_is_handed_on_as_one(tmp_path: Path) -> None:
    credentials = _credentials(tmp_path, {"auths": {"ghcr.io": {"identitytoken": "t"}}})
    assert credentials("ghcr.io/a/b") == {"identitytoken": "t"}


@pytest.mark.parametrize(
    "config",
    ["", "[]", "{", {"auths": {"ghcr.io": {}}}, {"auths": {"ghcr.io": {"auth": "%%%"}}}],
)
def test_what_cannot_be_read_is_no_login(tmp_path: Path, config: Any) -> None:
    assert _credentials(tmp_path, config)("ghcr.io/a/b") is None


def test_no_login_of_another_registry_is_given_away(tmp_path: Path) -> None:
    credentials = _credentials(tmp_path, {"auths": {"ghcr.io": {"auth": AUTH}}})
    assert credentials("ghcr.io.evil.test/a/b") is None


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    login = _credentials(tmp_path, {"auths": {"ghcr.io": {"auth": AUTH}}}).login("ghcr.io")
    assert login is not None
    assert "pa:ss" not in repr(login)


def test_a_helper_is_asked_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        "key = sys.stdin.read()\n"
        "print(json.dumps({'Username': key, 'Secret': 'from ' + sys.argv[1]}))\n"
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    credentials = _credentials(tmp_path, {"credHelpers": {"ghcr.io": "test"}})
    assert credentials("ghcr.io/a/b") == {"username": "ghcr.io", "password": "from get"}


@pytest.mark.parametrize("helper", ["missing", "../evil", "a b"])
def test_a_helper_that_is_not_there_gives_no_login(tmp_path: Path, helper: str) -> None:
    assert _credentials(tmp_path, {"credHelpers": {"ghcr.io": helper}})("ghcr.io/a/b") is None
