"""What the real Compose says about bad files, and that a cancelled run leaves nothing behind."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from tests.contract.docker_world import PYTHON, Names, real_runtime

from berthmaster.adapters.compose import ComposeCli, handover
from berthmaster.domain.errors import InvalidSpec
from berthmaster.ports.compose import ComposeInputs
from berthmaster.testing.runtime import FakeRuntime

pytestmark = pytest.mark.docker

BAD = {
    "unknown key": ("services:\n  web:\n    image: x\n    portss: [1]\n", 4, "portss"),
    "unknown dependency": (
        "services:\n  web:\n    image: x\n    depends_on: [nobody]\n",
        4,
        "nobody",
    ),
    "unset variable": ("services:\n  web:\n    image: x:${TAG}\n", 3, "TAG"),
    "required variable": ("services:\n  web:\n    image: x:${TAG:?give it}\n", 3, "TAG"),
    "eaten dollar": ("services:\n  web:\n    image: x\n    labels: {k: pa$word}\n", 4, "word"),
    "broken yaml": ("services:\n  web:\n    image: [x\n", 4, "yaml"),
    "wrong type": ("services:\n  web:\n    image: x\n    ports: 80\n", 4, "ports"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_file_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    content, line, word = BAD[name]
    (tmp_path / "compose.yaml").write_text(content)
    inputs = ComposeInputs(tmp_path, ("compose.yaml",))
    with pytest.raises(InvalidSpec, match=word) as raised:
        await ComposeCli(FakeRuntime()).config("shop-prod", inputs)
    assert raised.value.location == f"{tmp_path / 'compose.yaml'}:{line}"


async def test_a_stray_env_file_and_the_caller_s_shell_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    image: x:${TAG:-none}\n")
    (tmp_path / ".env").write_text("TAG=stray\nCOMPOSE_PROJECT_NAME=stray\n")
    monkeypatch.setenv("TAG", "shell")
    monkeypatch.setenv("COMPOSE_FILE", "/nowhere.yaml")
    compose = ComposeCli(FakeRuntime())
    plain = await compose.config("shop-prod", ComposeInputs(tmp_path, ("compose.yaml",)))
    assert (plain["name"], plain["services"]["web"]["image"]) == ("shop-prod", "x:none")
    given = ComposeInputs(tmp_path, ("compose.yaml",), (".env",), {"TAG": "v2"})
    model = await compose.config("shop-prod", given)
    assert model["services"]["web"]["image"] == "x:v2"


async def test_variables_are_listed_with_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    image: ${NAME:-x}:${TAG}\n")
    inputs = ComposeInputs(tmp_path, ("compose.yaml",))
    found = await ComposeCli(FakeRuntime()).variables(inputs)
    assert found == {"NAME": "x", "TAG": None}


async def test_a_cancelled_up_leaves_no_file_and_can_be_done_again() -> None:
    names = Names()
    service = {"image": PYTHON, "command": ["sleep", "60"], "init": True, "network_mode": "none"}
    keys = [f"web{number}" for number in range(4)]
    model = {"services": {key: {**service, "labels": names.labels} for key in keys}}
    async with real_runtime(names) as runtime:
        compose = ComposeCli(runtime)
        task = asyncio.create_task(compose.up(names.prefix, model, keys))
        for _ in range(500):
            if await runtime.containers(names.labels):
                break
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert names.prefix not in _left_in(handover.RUN_FOLDER)
        await compose.up(names.prefix, model, keys)
        found = await runtime.containers(names.labels)
        assert [item.state for item in found] == ["running"] * 4


def _left_in(folder: Path) -> str:
    """Of commands that run beside this one, too: theirs come and go."""
    found = ""
    for path in folder.glob("*/compose.json"):
        with suppress(FileNotFoundError):
            found += path.read_text()
    return found
