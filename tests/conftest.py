"""One flag for golden files, and what a test that is marked `docker` may count on."""

import os
import subprocess

import pytest
from hypothesis import settings

# How long an example takes is the machine's business; figures are for bench.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--update-golden"):
        os.environ["UPDATE_GOLDEN"] = "1"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A missing engine is a failure, not a silent skip, unless somebody says so."""
    if item.get_closest_marker("docker") is None or _has_docker():
        return
    if os.environ.get("BERTHMASTER_NO_DOCKER") == "1":
        pytest.skip("BERTHMASTER_NO_DOCKER=1")
    pytest.fail("no Docker Engine answers; BERTHMASTER_NO_DOCKER=1 leaves these tests out")


_answers: list[bool] = []


def _has_docker() -> bool:
    if not _answers:
        command = ["docker", "version", "--format", "{{.Server.Version}}"]
        try:
            ended = subprocess.run(command, capture_output=True, timeout=30, check=False)
            _answers.append(ended.returncode == 0)
        except (OSError, subprocess.TimeoutExpired):
            _answers.append(False)
    return _answers[0]
