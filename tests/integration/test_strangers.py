"""`berth init` on strangers' projects: roles, routes, and at most one question, as text.

The fixtures are written after the shapes of public Compose projects. Compose itself renders
each; what comes out must pass everything that `berth check` asks of files alone, or ask one thing
with file and line. `pytest --update-golden tests/integration/test_strangers.py` writes the texts.
"""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.engine.worlds import empty_world

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.adapters.compose import ComposeCli
from berthmaster.adapters.secretfiles import DiskSecretFiles
from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.names import StackId
from berthmaster.ports.outside import Outside
from berthmaster.services.checks.refusing import refuse_bad_configuration
from berthmaster.services.init_app import Proposal, init_app
from berthmaster.services.render_model import ReleaseRequest, refuse_violations, render_model

pytestmark = pytest.mark.docker

PROJECTS = Path(__file__).parent.parent / "fixtures" / "strangers"
FOLDER = Path(__file__).parent.parent / "golden" / "strangers"
PLACE = re.compile(r"\.ya?ml:\d+")
QUICKSTART = PROJECTS.parents[2] / "docs" / "quickstart.md"
SHOWN = ("yaml", "console")  # of its first two blocks
NAMES = sorted(path.name for path in PROJECTS.iterdir() if path.is_dir())


def outside() -> Outside:
    """The real Compose and the real files; nothing else is asked."""
    world = empty_world().outside
    return replace(
        world,
        compose=ComposeCli(world.runtime),
        specs=BerthfileSpecs(),
        secret_files=DiskSecretFiles(),
    )


def copied(name: str, to: Path) -> Path:
    folder = to / name
    shutil.copytree(PROJECTS / name, folder)
    for secret in (*folder.glob("secrets/*"), *folder.glob(".env*")):  # git keeps no modes
        secret.chmod(0o600)
    return folder


def told(made: Proposal, folder: Path) -> str:
    spec = BerthfileSpecs().read(folder)
    lines = [f"role      {name:12} {item.role}" for name, item in sorted(spec.services.items())]
    lines += [f"route     {item.path:12} {item.service}:{item.port}" for item in spec.routes]
    lines += [f"hosts     {', '.join(spec.environments['prod'].hosts)}"]
    for asked in made.questions:
        lines += [f"question  {asked.what}" + (f" (+{asked.others})" if asked.others else "")]
        lines += [f"answer    {asked.answer}"]
    return "\n".join(lines).replace(str(folder), "DIR") + "\n"


def refusal(refused: InvalidSpec, folder: Path) -> str:
    assert PLACE.search(refused.location or "")
    assert not (folder / "berth.yaml").exists()
    text = f"refused   {refused.message}\nanswer    {refused.next_command or 'as it says'}\n"
    return text.replace(str(folder), "DIR")


async def deploy_would_go_on(folder: Path) -> None:
    """What a deploy asks of the files before it looks at images; raises when it refuses."""
    spec, world = BerthfileSpecs().read(folder), outside()
    request = ReleaseRequest(StackId(spec.app, "prod"), folder)
    rendering = await render_model(world, request)
    refuse_violations(rendering.violations)
    await refuse_bad_configuration(world, request, rendering)


def test_there_are_at_least_forty_projects() -> None:
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", NAMES)
async def test_init_on_a_strangers_project(name: str, tmp_path: Path) -> None:
    folder = copied(name, tmp_path)
    text = await looked_at(folder)
    path = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


async def looked_at(folder: Path) -> str:
    """What init says; the file it wrote passes, or it asks one thing with its place."""
    try:
        made = await init_app(outside(), folder)
    except InvalidSpec as refused:
        return refusal(refused, folder)
    text = told(made, folder)
    assert len(made.questions) <= 1
    assert all(PLACE.search(item.what) and item.answer for item in made.questions)
    if not made.questions:
        await deploy_would_go_on(folder)
        assert "route " in text, "nothing would answer"
    return text


async def test_the_quickstart_shows_what_init_writes(tmp_path: Path) -> None:
    text = QUICKSTART.read_text()
    compose, shown = (re.findall(f"```{kind}\n(.*?)```", text, re.S)[0] for kind in SHOWN)
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "compose.yaml").write_text(compose)
    await init_app(outside(), folder)
    assert f"$ berth init\n{(folder / 'berth.yaml').read_text()}" == shown
