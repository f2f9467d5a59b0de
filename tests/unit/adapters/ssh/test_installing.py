"""What is put on another server, and what must be there first."""

import io
import zipfile
from typing import Any

import pytest

import berthmaster
from berthmaster.adapters.ssh.installing import missing
from berthmaster.adapters.ssh.wheels import build_name, own_wheel, platforms

GOOD: dict[str, Any] = {
    "is_root": True,
    "python": "3.11.2",
    "own_python": "3.11.2",
    "has_venv": True,
    "has_docker": True,
    "engine": "20.10.24+dfsg1",
    "compose": "2.26.1-4",
    "free_mb": 4000,
}


def test_a_server_with_everything_lacks_nothing() -> None:
    assert missing(GOOD) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"is_root": False}, "root"),
        ({"python": None, "own_python": "3.9.2"}, "Python 3.11 or newer (it has 3.9.2)"),
        ({"has_venv": False}, "Python's venv"),
        ({"has_docker": False, "engine": None, "compose": None}, "Docker Engine 20.10 or newer"),
        ({"engine": None}, "a Docker Engine that answers"),
        ({"engine": "19.03.1"}, "Docker Engine 20.10 or newer (it has 19.03.1)"),
        ({"compose": None}, "Docker Compose 2.24 or newer"),
        ({"compose": "v2.9.0"}, "Docker Compose 2.24 or newer (it has v2.9.0)"),
        ({"free_mb": 10}, "300 MB of disk (10 MB are free)"),
    ],
)
def test_what_is_lacking_is_named(changes: dict[str, Any], what: str) -> None:
    ((found, remedy),) = missing({**GOOD, **changes})
    assert (found, bool(remedy)) == (what, True)


def test_the_wheel_holds_this_program_and_is_the_same_each_time() -> None:
    name, data = own_wheel()
    archive = zipfile.ZipFile(io.BytesIO(data))
    info = f"berthmaster-{berthmaster.__version__}.dist-info"
    names = set(archive.namelist())
    assert {"berthmaster/cli/main.py", f"{info}/RECORD", f"{info}/entry_points.txt"} <= names
    assert f"Version: {berthmaster.__version__}\n" in archive.read(f"{info}/METADATA").decode()
    assert not any("__pycache__" in one for one in names)
    rows = archive.read(f"{info}/RECORD").decode().splitlines()
    assert {row.split(",")[0] for row in rows} == names
    assert own_wheel() == (name, data)
    assert build_name([(name, data)]) != build_name([(name, data + b"x")])


def test_wheels_are_chosen_for_the_library_of_the_other_machine() -> None:
    found = platforms("x86_64", "glibc", "2.31")
    assert (found[0], found[-1]) == ("manylinux_2_31_x86_64", "manylinux2014_x86_64")
    assert platforms("aarch64", "musl", "") == ["musllinux_1_2_aarch64", "musllinux_1_1_aarch64"]
