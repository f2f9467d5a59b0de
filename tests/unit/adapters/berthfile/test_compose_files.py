"""Compose files are checked offline, with file, line and what was probably meant."""

from pathlib import Path

import pytest
from tests.systems import FOLDER, STACKS

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.domain.errors import InvalidSpec


def check(folder: Path, text: str, **others: str) -> None:
    (folder / "compose.yaml").write_text(text)
    for name, content in others.items():
        (folder / f"{name}.yaml").write_text(content)
    BerthfileSpecs().check_compose_files(folder, ("compose.yaml",))


@pytest.mark.parametrize(("system", "environment"), STACKS)
def test_the_source_systems_pass(system: str, environment: str) -> None:
    specs = BerthfileSpecs()
    spec = specs.read(FOLDER / system)

    specs.check_compose_files(FOLDER / system, spec.environments[environment].compose)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "services:\n  web:\n    imag: x",
            "compose.yaml:3: unknown key `imag`, did you mean `image`?",
        ),
        ("servises: {}", "compose.yaml:1: unknown key `servises`, did you mean `services`?"),
        (
            "services:\n  web:\n    ports:\n      - {target: 80, publish: 8}",
            "compose.yaml:4: unknown key `publish`, did you mean `published`?",
        ),
        (
            "services:\n  web:\n    build: {contxt: .}",
            "compose.yaml:3: unknown key `contxt`, did you mean `context`?",
        ),
        (
            "services:\n  web: {environment: 5}",
            "compose.yaml:2: `services.web.environment` must be object",
        ),
        (
            "services:\n  web:\n    image: a\n    image: b",
            "compose.yaml:4: `image` is written twice",
        ),
        ("[]", "compose.yaml:1: a Compose file must be a mapping"),
        ("include: [../other.yaml]", "compose.yaml:1: ../other.yaml lies outside the app's folder"),
        ("include: [/etc/compose.yaml]", "lies outside the app's folder"),
        ("include: [https://example.com/c.yaml]", "is not a local file"),
        ("include: [{path: [oci://x/y]}]", "is not a local file"),
        (
            "services:\n  web:\n    extends: {file: ../x.yaml, service: a}",
            "lies outside the app's folder",
        ),
        ("services:\n  web:\n    env_file: ../.env", "compose.yaml:3: ../.env lies outside"),
        (
            "services:\n  web:\n    env_file: [{path: /etc/environment}]",
            "lies outside the app's folder",
        ),
        ("include: [missing.yaml]", "missing.yaml: no such file"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, wanted: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        check(tmp_path, text)

    assert wanted in caught.value.message


def test_an_included_file_is_checked_too(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match=r"other\.yaml:1: unknown key `sevices`"):
        check(tmp_path, "include: [other.yaml]", other="sevices: {}")


def test_files_that_name_each_other_end(tmp_path: Path) -> None:
    check(tmp_path, "include: [other.yaml]", other="include: [compose.yaml]")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").symlink_to("/etc/hostname")

    with pytest.raises(InvalidSpec, match="lies outside"):
        check(tmp_path, "include: [other.yaml]")


def test_interpolated_values_are_left_to_compose(tmp_path: Path) -> None:
    text = 'services: {web: {image: a, cpu_count: "${CPUS}", deploy: {replicas: "${N:-2}"}}}'

    check(tmp_path, text)


def test_a_value_of_the_wrong_type_is_not_repeated_it_may_be_a_secret(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec) as caught:
        check(tmp_path, "services: {web: {image: [planted]}}")

    assert "planted" not in caught.value.message


def test_services_with_the_release_variable_are_found_in_the_last_file_that_names_an_image() -> (
    None
):
    specs = BerthfileSpecs()
    spec = specs.read(FOLDER / "watan")

    assert specs.versioned_services(spec, "prod") == {"backend", "djangoo", "frontend", "poller"}
