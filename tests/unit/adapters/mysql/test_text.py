"""What MariaDB and MySQL read, and how much of a dump is there."""

from pathlib import Path
from typing import Any, cast

import pytest

from berthmaster.adapters.mysql.restore import count_dumped
from berthmaster.adapters.mysql.server import Server, identifier, literal
from berthmaster.domain.errors import OutsideError

DUMP = """-- MariaDB dump 10.19
-- Table structure for table `one`
CREATE TABLE `one` (n int);
INSERT INTO `one` VALUES ('-- Table structure for table `x`');
-- Temporary table structure for view `v`
-- Table structure for table `two`
-- Dumping routines for database 'shop'
"""
END = "-- Dump completed on 2026-11-28 20:00:00\n"


def server() -> Server:
    return Server(cast("Any", None), "db", "mariadb", True, {"MYSQL_PWD": "s3cret"})


@pytest.mark.parametrize("end", [END, "-- Dump completed\n", f"{END}\n"])
def test_tables_are_counted_in_a_dump_that_has_an_end(tmp_path: Path, end: str) -> None:
    (tmp_path / "dump").write_text(DUMP + end)
    assert count_dumped(server(), tmp_path / "dump") == 2


@pytest.mark.parametrize("text", ["", DUMP, DUMP + END + "INSERT"])
def test_one_without_an_end_does_not_count(tmp_path: Path, text: str) -> None:
    (tmp_path / "dump").write_text(text)
    with pytest.raises(OutsideError, match="has no end"):
        count_dumped(server(), tmp_path / "dump")


def test_any_name_is_only_a_name() -> None:
    assert identifier("a`; DROP") == "`a``; DROP`"
    assert literal('it\'s \\ "x"') == "'it''s \\\\ \"x\"'"


def test_the_password_is_not_shown() -> None:
    assert "s3cret" not in repr(server())
