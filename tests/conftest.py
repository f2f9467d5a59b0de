"""One flag for golden files, and what a test that is marked `docker` may count on."""

import gc
import os
import subprocess
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# How long an example takes, and its making, is the machine's business; figures are for bench.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--update-golden"):
        os.environ["UPDATE_GOLDEN"] = "1"


def pytest_collection_finish() -> None:
    """Thousands of tests are objects that stay: no later collection need look at them."""
    gc.collect()
    gc.freeze()


# Scenarios that make most of their servers themselves; they take as long as half of the others.
FAR = ("ci", "complaints", "cutover", "lost_server", "move", "rehearse", "replace_proxy", "servers")
FAR_FILES = {f"test_{name}.py" for name in (*FAR, "surroundings", "tenants")}


class ThreeRows(LoadScopeScheduling):  # type: ignore[misc]
    """Scenarios in two rows, each in one process, since those of a row share a server; beside them
    all else, of which what needs an engine is in one row, too. A process that waits for containers
    leaves its core to the others.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        _, folder, *rest = file.split("/")
        if folder == "scenario":
            return "far" if rest[-1] in FAR_FILES else "near"
        return "engine" if folder in {"contract", "integration"} else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ThreeRows | None:
    """For `--dist loadscope`, which `scripts/test` asks for."""
    return ThreeRows(config, log) if config.getvalue("dist") == "loadscope" else None


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
