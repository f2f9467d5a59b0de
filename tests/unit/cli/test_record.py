"""What is written down for git, and the report."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.unit.cli.stages import Stages

from berthmaster.adapters.berthfile.revision import revision


@pytest.fixture
def live(stages: Stages) -> Stages:
    """v1 was proved in stage and promoted; then prod went on to v2."""
    stages.good("deploy", "stage", "--tag", "v1")
    stages.good("promote", "stage", "prod", by="bob@test")
    return stages


def record(stages: Stages) -> str:
    stages.good("record", "prod")
    return (stages.shop.folder / "deployments/prod.json").read_text()


@pytest.mark.requirement("R352")
def test_a_record_names_revision_digests_time_and_person(live: Stages) -> None:
    found = json.loads(record(live))
    assert (found["stack"], found["release"], found["tag"]) == ("cart@prod", "r1", "v1")
    assert found["images"]["web"]["runs_as"].endswith("0001")
    assert (found["deployment"], found["deployed_by"]) == ("d2", "bob@test")
    assert found["deployed_at"].endswith("+00:00")
    assert [item["in"] for item in found["verified"]] == ["cart@prod", "cart@stage"]


def test_recording_again_changes_nothing(live: Stages) -> None:
    first = record(live)
    assert record(live) == first
    assert "as it was" in live.good("record", "prod").out


def test_a_rollback_is_recorded_with_its_own_time_and_person(live: Stages) -> None:
    live.render(tag="v2")
    live.good("deploy", "prod", "--tag", "v2")
    live.good("rollback", "prod", by="eve@test")
    found = json.loads(record(live))
    assert (found["release"], found["deployed_by"], found["deployment"]) == ("r1", "eve@test", "d4")


def test_every_environment_is_recorded_at_once(live: Stages) -> None:
    files = live.good("record", "--all", "--json").json["files"]
    assert [Path(item["file"]).name for item in files] == ["prod.json", "stage.json"]


def test_a_report_tells_what_changed_and_what_proved_it(live: Stages) -> None:
    live.render(tag="v2", environment={"SECRET_KEY": "another-planted-value"})
    live.good("deploy", "prod", "--tag", "v2")
    files = live.good("record", "prod", "--report", "--json").json["files"]
    path = Path(files[1]["file"])
    text = path.read_text()
    assert path.name.endswith("-cart-prod-r2.md")
    assert path.name[:4].isdecimal()
    assert "## What changed since r1" in text
    assert "release: tag v1 -> v2" in text
    assert "config: web SECRET_KEY changed" in text
    assert "1 smoke condition held" in text
    assert "berth rollback cart@prod --to r1" in text
    assert "planted" not in text


@pytest.mark.requirement("R363")
def test_a_report_is_made_from_the_apps_own_template(live: Stages) -> None:
    folder = live.shop.folder / "docs/reports"
    folder.mkdir(parents=True)
    (folder / "TEMPLATE.md").write_text("$app: $release by $actor, $unknown\n")
    live.good("record", "prod", "--report")
    (report,) = [item for item in folder.iterdir() if item.name != "TEMPLATE.md"]
    assert report.read_text() == "cart: r1 by bob@test, $unknown\n"


def test_what_runs_nothing_has_no_record(stages: Stages) -> None:
    assert "cart@prod runs no release" in stages.refused("record", "cart@prod")


def test_a_link_out_of_the_folder_is_not_followed(
    live: Stages, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (live.shop.folder / "deployments").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    assert "leads out of" in live.refused("record", "prod")


def test_a_record_makes_no_checkout_dirty(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)

    (tmp_path / "deployments").mkdir()
    (tmp_path / "deployments/prod.json").write_text("{}\n")
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    git("init", "-q")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@test", "commit", "-qm", "all")
    (tmp_path / "deployments/prod.json").write_text('{"a": 1}\n')
    assert "-dirty" not in str(revision(tmp_path))
    (tmp_path / "compose.yaml").write_text("services: {a: {}}\n")
    assert str(revision(tmp_path)).endswith("-dirty")
