"""One line for each key in `authorized_keys`; what others wrote there stays."""

from pathlib import Path

import pytest

from berthmaster.adapters.ssh.authorized import authorize
from berthmaster.domain.errors import NotAllowed

KEY = "ssh-ed25519 AAAA"
LINE = f'command="berth serve-request --key ci",restrict {KEY} ci'
OTHER = "ssh-ed25519 BBBB anna"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".ssh/authorized_keys"


def test_the_file_is_made_for_its_owner_alone(path: Path) -> None:
    assert authorize(path, LINE, KEY)
    assert path.read_text() == f"{LINE}\n"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert not authorize(path, LINE, KEY)


def test_new_limits_replace_the_old_ones_and_other_lines_stay(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(f"# people\n{OTHER}\n{LINE}")
    limited = LINE.replace("--key ci", "--key ci --only status")
    assert authorize(path, limited, KEY)
    assert path.read_text().splitlines() == ["# people", OTHER, limited]


def test_a_key_that_may_already_log_in_is_not_limited_by_a_second_line(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(f"{KEY} anna\n")
    with pytest.raises(NotAllowed, match="may already log in"):
        authorize(path, LINE, KEY)
    assert path.read_text() == f"{KEY} anna\n"
