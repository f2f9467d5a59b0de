from pathlib import Path

import pytest

from berthmaster.adapters.compose import errors, locating, variables

COMPOSE = """\
# ${TAG} in a comment does not count
services:
  web:
    image: shop:${TAG}
    portss: [80]
    environment:
      COST: $$5
      HOST: $HOST_NAME
  worker:
    depends_on: [nobody]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "compose.yaml"
    path.write_text(COMPOSE)
    return path


def test_unset_variables_are_read_from_the_warnings() -> None:
    text = (
        'time="x" level=warning msg="The \\"A\\" variable is not set. Defaulting to a blank"\n'
        'time="x" level=warning msg="The \\"B_2\\" variable is not set. Defaulting to a blank"\n'
        'time="x" level=warning msg="The \\"A\\" variable is not set. Defaulting to a blank"\n'
    )
    assert locating.parse_unset(text) == ("A", "B_2")


@pytest.mark.parametrize(("name", "line"), [("TAG", 4), ("HOST_NAME", 8)])
def test_a_variable_is_found_where_it_is_used(file: Path, name: str, line: int) -> None:
    assert locating.locate_variable(name, [file]) == f"{file}:{line}"


@pytest.mark.parametrize("name", ["HOST", "TA", "5"])
def test_part_of_a_name_is_no_use_of_it(file: Path, name: str) -> None:
    assert locating.locate_variable(name, [file]) is None


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("validating {}: services.web Additional property portss is not allowed", 5),
        ('service "worker" depends on undefined service "nobody": invalid', 10),
        ("required variable TAG is missing a value: give one", 4),
        ("services.web.environment.HOST must be a string", 6),
    ],
)
def test_an_error_is_led_back_to_its_line(file: Path, message: str, line: int) -> None:
    assert locating.locate_error(message.format(file), [file]) == f"{file}:{line}"


def test_broken_yaml_is_found_in_the_file_that_is_broken(file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "other.yaml"
    broken.write_text("services:\n  web:\n    image: [x\n")
    found = locating.locate_error("yaml: line 2: did not find expected", [file, broken])
    assert found is not None
    assert found.startswith(f"{broken}:")


def test_an_error_about_nothing_known_has_no_place(file: Path) -> None:
    assert locating.locate_error("something else", [file]) is None


def test_the_message_is_what_compose_said_without_its_warnings() -> None:
    text = 'time="x" level=warning msg="obsolete"\nservice "web" has no image\n'
    assert locating.plain_message(text) == 'service "web" has no image'


def test_the_table_of_variables_gives_names_and_defaults() -> None:
    table = (
        "NAME                REQUIRED            DEFAULT VALUE       ALTERNATE VALUE\n"
        "TAG                 false               latest one          \n"
        "BAR                 true                                    \n"
    )
    assert variables.parse_table(table) == {"BAR": None, "TAG": "latest one"}


def test_files_are_scanned_as_compose_would_read_them(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text("a: ${A} $B ${C:-c} ${D-d} ${E:?must} ${F:+x} $$NOT $${NOT} $$$G")
    found = variables.scan_files([path])
    assert found == {"A": None, "B": None, "C": "c", "D": "d", "E": None, "F": None, "G": None}


def test_a_mask_covers_environment_secrets_and_configs_of_a_model() -> None:
    model = {
        "services": {
            "web": {"environment": {"KEY": "topsecret-1", "DEBUG": "false", "NONE": None}},
            "old": {"environment": ["KEY=topsecret-2"]},
            "bare": None,
        },
        "secrets": {"one": {"content": "first line\nsecond line"}},
    }
    text = "topsecret-1 topsecret-2 second line false"
    assert errors.mask_of_model(model).apply(text) == "*** *** *** false"


def test_a_mask_covers_what_env_files_say(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("# note\nKEY='topsecret-3'\nPORT=8000\n")
    mask = errors.mask_of_files({"TAG": "v1.2.3-rc1"}, [tmp_path / "a.env", tmp_path / "none"])
    assert mask.apply("topsecret-3 v1.2.3-rc1 8000") == "*** *** 8000"
