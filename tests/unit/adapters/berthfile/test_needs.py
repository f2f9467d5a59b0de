"""Which values Compose files ask for, read from the files as they are written."""

from pathlib import Path

import pytest

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.adapters.berthfile.needs import interpolated
from berthmaster.domain.secret import Delivery, Need

SPECS = BerthfileSpecs()
COMPOSE = """\
# ${IN_A_COMMENT}
services:
  web:
    image: ${REGISTRY}/shop:${IMAGE_TAG:?}
    environment:
      SECRET_KEY: ${SECRET_KEY}
      MODE: ${MODE:-prod}
      PRICE: 5$$
    secrets: [db_password, {source: api, target: /x}, env_secret]
  db:
    image: postgres:15
    environment: [POSTGRES_USER=shop, PASSED_ON]
    secrets: [db_password]
  debug:
    image: tools
    profiles: [debug]
    environment: {TOOL_TOKEN: "${TOOL_TOKEN}"}
    secrets: [tool]
secrets:
  db_password: {file: ./secrets/prod/db_password}
  api: {file: "./secrets/${ENVIRONMENT:-prod}/api"}
  env_secret: {environment: ENV_SECRET}
  tool: {file: ./secrets/prod/tool}
  nobody: {file: ./secrets/prod/nobody}
"""


def needs(folder: Path, berth: str = "{prod: compose.yaml}") -> dict[str, Need]:
    (folder / "compose.yaml").write_text(COMPOSE)
    (folder / "berth.yaml").write_text(f"app: shop\nenvironments: {berth}\n")
    return {need.name: need for need in SPECS.needs(SPECS.read(folder), "prod")}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$A and ${B}", [("A", None), ("B", None)]),
        ("$$A $${B}", []),
        ("${A:?say it} ${B?}", [("A", None), ("B", None)]),
        ("${A:-x}${B-}", [("A", "x"), ("B", "")]),
        ("${A:-a}b}", [("A", "a")]),
        ("${A:-${B}}", [("A", ""), ("B", None)]),
        ("${A:+x}", [("A", "")]),
        ("${A:-{x}}", [("A", "{x}")]),
        ("100$ and $ 5", []),
    ],
)
def test_interpolation_as_compose_writes_it(text: str, found: list[object]) -> None:
    assert list(interpolated(text)) == found


def test_what_is_mounted_or_interpolated_is_asked_for_with_its_line(tmp_path: Path) -> None:
    found = needs(tmp_path)

    assert found["db_password"].services == ("db", "web")
    assert (found["db_password"].delivery, found["db_password"].file) == (
        Delivery.FILE,
        "secrets/prod/db_password",
    )
    assert found["SECRET_KEY"].location == "compose.yaml:6"
    assert (found["SECRET_KEY"].default, found["MODE"].default) == (None, "prod")
    assert found["PASSED_ON"].default == ""
    assert found["ENV_SECRET"].is_named_secret


def test_nobody_asks_for_what_is_in_comments_unused_or_in_a_profile_that_is_off(
    tmp_path: Path,
) -> None:
    found = needs(tmp_path)

    assert not {"IN_A_COMMENT", "nobody", "tool", "TOOL_TOKEN"} & found.keys()
    found = needs(tmp_path, "{prod: {compose: compose.yaml, profiles: debug}}")
    assert {"tool", "TOOL_TOKEN"} <= found.keys()


def test_only_variables_that_are_asked_for_are_read_from_the_secrets_folder(tmp_path: Path) -> None:
    folder = tmp_path / "secrets" / "prod"
    folder.mkdir(parents=True)
    for name in ("SECRET_KEY", "STRAY", "db_password", "TOOL_TOKEN"):
        (folder / name).write_text(f"$a '{name}'\nx\n")
    needs(tmp_path)

    found = SPECS.secret_variables(SPECS.read(tmp_path), "prod")
    assert found == {"SECRET_KEY": "$a 'SECRET_KEY'\nx"}


def test_what_a_later_file_takes_out_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "services:\n  db:\n    image: ${IMAGE:-postgres}\n    environment:\n"
        "      PASSWORD: ${PASSWORD:-devpass}\n      KEPT: ${KEPT:-x}\n      ASKED: ${ASKED}\n"
    )
    (tmp_path / "more.yaml").write_text(
        "services:\n  db:\n    image: postgres:15\n    environment:\n"
        "      PASSWORD: !reset null\n      ASKED: none\n"
    )
    (tmp_path / "berth.yaml").write_text(
        "app: shop\nenvironments: {prod: [base.yaml, more.yaml]}\n"
    )
    found = {need.name for need in SPECS.needs(SPECS.read(tmp_path), "prod")}

    assert found == {"KEPT", "ASKED"}  # Compose wants a value of ASKED all the same


def test_how_a_variable_is_used_and_who_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n  db:\n    user: '70:70'\n    secrets: [key]\n"
        "    environment: ['POSTGRES_PASSWORD=${PASSWORD}']\n"
        "    command: [x, '${PASSWORD}']\nsecrets: {key: {file: ./key}}\n"
    )
    (tmp_path / "berth.yaml").write_text("app: shop\nenvironments: {prod: compose.yaml}\n")
    found = {need.name: need for need in SPECS.needs(SPECS.read(tmp_path), "prod")}

    assert found["PASSWORD"].uses == ("db.command.1", "db.environment.POSTGRES_PASSWORD")
    assert (found["key"].uids, found["key"].file) == ((70,), "key")
