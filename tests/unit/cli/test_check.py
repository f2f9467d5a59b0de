"""`berth check` as people and pipelines read it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.unit.services.checks.scene import Scene, good_scene

from berthmaster.cli.invocation import Invocation
from berthmaster.cli.main import main
from berthmaster.domain.errors import RuntimeUnavailable
from berthmaster.settings import Settings
from berthmaster.testing.compose import FakeCompose

MORE = """\
  dev: {compose: [compose.yaml], env_file: [versions.env]}
"""


@dataclass
class Desk:
    """Types `berth check` in the scene's folder."""

    scene: Scene
    capsys: pytest.CaptureFixture[str]

    def berth(self, *words: str) -> tuple[int, str]:
        compose = self.scene.world.outside.compose
        assert isinstance(compose, FakeCompose)
        compose.models[("compose.yaml",)] = self.scene.model
        settings = Settings(state_folder=self.scene.folder / "state")
        given = Invocation(self.scene.folder, given=self.scene.outside, given_settings=settings)
        self.capsys.readouterr()
        code = main(list(words), given)
        return code, self.capsys.readouterr().out

    def check_json(self, *words: str) -> Any:
        code, out = self.berth("check", *words, "--json")
        return code, json.loads(out)["checks"]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    scene = good_scene(tmp_path)
    scene.write("berth.yaml", (scene.folder / "berth.yaml").read_text() + MORE)
    scene.commit()
    return Desk(scene, capsys)


def test_a_good_app_ends_with_0_and_says_what_to_type(desk: Desk) -> None:
    code, out = desk.berth("check", "prod")
    assert code == 0
    assert out.splitlines()[-1].endswith("ready: berth deploy shop@prod")
    assert "to change" not in out


def test_problems_come_first_with_their_remedy(desk: Desk) -> None:
    desk.scene.set(DEBUG="1")
    code, out = desk.berth("check", "prod")
    lines = out.splitlines()
    assert code == 2
    assert lines[0] == "to change"
    assert lines[1] == "  debug  web: DEBUG is on"
    assert lines[2] == "         do: take DEBUG out, or set it to false"
    assert lines.index("ok") > 3


def test_only_outside_things_end_with_3_and_both_with_2(desk: Desk) -> None:
    desk.scene.host.names.clear()
    assert desk.berth("check", "prod")[0] == 3
    desk.scene.set(DEBUG="1")
    assert desk.berth("check", "prod")[0] == 2


@pytest.mark.requirement("R344", "R345")
def test_all_environments_are_one_table_and_the_worst_counts(desk: Desk) -> None:
    desk.scene.set(DEBUG="1")  # a developer may
    code, out = desk.berth("check", "--all")
    assert code == 2
    assert out.count("to change\n") == 1
    assert "  debug  prod  web: DEBUG is on" in out
    assert "shop@dev  " in out
    assert "shop@prod  1 to change" in out


def test_one_reason_for_many_checks_is_told_once(desk: Desk) -> None:
    for _ in range(9):
        desk.scene.world.engine.fail_next(
            "registry.digest", RuntimeUnavailable("the registry is silent", subject="x")
        )
    desk.scene.world.engine.images.clear()
    _, out = desk.berth("check", "prod")
    assert out.count("the registry is silent") == 1
    assert "also: architecture, image_space" in out


def test_verbose_shows_the_evidence_of_what_is_good(desk: Desk) -> None:
    plain, verbose = desk.berth("check", "prod")[1], desk.berth("check", "prod", "-v")[1]
    assert "80 % of" not in plain
    assert "80 % of" in verbose


def test_json_has_every_answer_with_stable_keys(desk: Desk) -> None:
    desk.scene.set(DEBUG="1")
    code, reports = desk.check_json("--all")
    assert code == 2
    assert [(item["stack"], item["exit_code"]) for item in reports] == [
        ("shop@prod", 2),
        ("shop@dev", 0),
    ]
    assert reports[0]["checks"][0].keys() == {"id", "severity", "evidence", "remedy", "why"}
    bad = [item["id"] for item in reports[0]["checks"] if item["severity"] == "change"]
    assert bad == ["debug"]


def test_all_with_an_environment_is_a_wrong_request(desk: Desk) -> None:
    assert desk.berth("check", "prod", "--all")[0] == 2


def test_no_value_of_a_variable_is_ever_printed(desk: Desk) -> None:
    planted = "planted-5e3c9a"
    desk.scene.set(
        DATABASE_URL=f"postgres://shop:{planted}@db/shop?sslmode=disable",
        APP_ENV=planted,
        DB_SSLMODE="",
        CORS_ORIGINS=f"*,{planted}",
        ALLOWED_HOSTS=f"*,{planted}",
    )
    code, out = desk.berth("check", "prod", "-v")
    assert code == 2
    assert planted not in out + desk.berth("check", "prod", "--json")[1]


def test_a_deployment_names_what_it_overrode(desk: Desk) -> None:
    text = (desk.scene.folder / "berth.yaml").read_text()
    policy = "    policy:\n      allow: [{check: debug, why: until Monday}]\n"
    desk.scene.write("berth.yaml", text.replace("  dev:", f"{policy}  dev:"))
    desk.scene.commit()
    desk.scene.set(DEBUG="1")
    assert desk.berth("deploy", "prod")[0] == 0
    assert "debug: web: DEBUG is on: until Monday" in desk.berth("show", "d1")[1]
    (line,) = json.loads(desk.berth("show", "d1", "--json")[1])["overrides"]
    assert line.endswith("until Monday")
