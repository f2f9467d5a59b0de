"""What berth.yaml says of smoke conditions and neighbours, and which files make an artifact."""

from pathlib import Path

import pytest

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.spec import AppSpec, SmokeSpec

SPECS = BerthfileSpecs()
COMPOSE = """\
services:
  web:
    image: shop:${IMAGE_TAG}
    volumes: ["./nginx.conf:/etc/nginx.conf:ro", "./data:/data"]
    env_file: [web.env]
    secrets: [key]
configs: {app: {file: ./conf/app.toml}}
secrets: {key: {file: ./secrets/prod/key}}
"""
BERTHFILE = """\
app: shop
environments:
  prod: {compose: [compose.yaml], env_file: [versions.env, .env.prod]}
  stage: {compose: [compose.yaml, stage.yaml], env_file: [versions.env, stage.env]}
"""
ARTIFACT = (
    "berth.yaml",
    "compose.yaml",
    "stage.yaml",
    "nginx.conf",
    "conf/app.toml",
    "versions.env",
)
OWN = (".env.prod", "stage.env", "web.env", "secrets/prod/key", "data/rows", "README.md")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (*ARTIFACT, *OWN):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("A=1\n")
    (tmp_path / "berth.yaml").write_text(BERTHFILE)
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "stage.yaml").write_text("services: {web: {user: '1'}}\n")
    return tmp_path


def read(folder: Path, more: str = "") -> AppSpec:
    (folder / "berth.yaml").write_text(BERTHFILE + more)
    return SPECS.read(folder)


def test_the_files_of_every_environment_make_the_artifact(folder: Path) -> None:
    assert set(SPECS.artifact_inputs(read(folder))) == set(ARTIFACT)


@pytest.mark.parametrize("name", ARTIFACT)
def test_a_change_of_one_of_them_is_seen(folder: Path, name: str) -> None:
    before = SPECS.artifact_inputs(read(folder))
    (folder / name).write_text((folder / name).read_text() + "# more\n")
    after = SPECS.artifact_inputs(SPECS.read(folder))
    assert [key for key in after if after[key] != before[key]] == [name]


@pytest.mark.parametrize("name", OWN)
def test_what_is_an_environments_own_is_no_part_of_it(folder: Path, name: str) -> None:
    before = SPECS.artifact_inputs(read(folder))
    (folder / name).write_text("B=2\n")
    assert SPECS.artifact_inputs(SPECS.read(folder)) == before


def test_a_broken_file_of_another_environment_stands_for_itself(folder: Path) -> None:
    spec = read(folder)
    (folder / "stage.yaml").write_text("services: [")
    assert set(SPECS.artifact_inputs(spec)) == set(ARTIFACT)


def test_a_smoke_condition_may_have_headers_json_and_a_time(folder: Path) -> None:
    text = "smoke: [{path: /r, headers: {X-A: b}, json: {a.b: true, n: 1}, seconds: 500ms}]\n"
    assert read(folder, text).smoke == (
        SmokeSpec("/r", headers={"X-A": "b"}, json={"a.b": True, "n": 1}, seconds=0.5),
    )


def test_a_smoke_condition_may_be_a_command(folder: Path) -> None:
    text = "smoke: [{command: manage check --deploy, service: web, exit_code: 3}]\n"
    command = ("manage", "check", "--deploy")
    assert read(folder, text).smoke == (SmokeSpec("", command=command, service="web", exit_code=3),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("smoke: [{status: 200}]\n", "berth.yaml:5: a smoke condition has either a `path` or"),
        ("smoke: [{path: /a, command: b, service: web}]\n", "has either a `path` or"),
        ("smoke: [{command: b}]\n", "`command` and `service` go together"),
        ("smoke: [{path: /a, service: web}]\n", "`command` and `service` go together"),
        ("smoke: [{path: /a, jsn: {a: 1}}]\n", "unknown key `jsn`, did you mean `json`?"),
        ("smoke: [{path: /a, json: {a: [1]}}]\n", "berth.yaml:5"),
    ],
)
def test_a_smoke_condition_that_makes_no_sense_is_refused(
    folder: Path, text: str, words: str
) -> None:
    with pytest.raises(InvalidSpec) as refused:
        read(folder, text)
    assert words in str(refused.value)


def test_without_a_freeze_file_nothing_is_frozen(folder: Path) -> None:
    assert SPECS.freezes(folder) == ()


def test_a_freeze_file_that_is_no_text_is_an_error(folder: Path) -> None:
    (folder / ".deploy-freeze").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidSpec, match=r"\.deploy-freeze: it cannot be read"):
        SPECS.freezes(folder)
