"""The file of servers that a person knows."""

from pathlib import Path

import pytest

from berthmaster.adapters.ssh.catalogue import read_catalogue, usual_path, write_catalogue
from berthmaster.domain.errors import InvalidSpec


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "servers.toml"
    path.write_text(
        'ssh_config = "/etc/ci"\n[servers.web1]\naddress = "root@[2001:db8::1]:22"\nsudo = true\n'
        '[servers."a.b"]\naddress = "b"\n'
    )
    found = read_catalogue(path)
    assert (found.servers["web1"].is_sudo, found.servers["a.b"].address) == (True, "b")
    write_catalogue(found)
    assert read_catalogue(path) == found


def test_a_server_that_is_not_in_the_file_is_a_name_of_ssh(tmp_path: Path) -> None:
    found = read_catalogue(tmp_path / "none").find("bastion")
    assert (found.name, found.address) == ("bastion", "bastion")


@pytest.mark.parametrize(
    "text",
    [
        "servers = 1",
        "other = 1",
        "[servers.web1]\n",
        "[servers.web1]\naddress = 1",
        '[servers.web1]\naddress = "-oProxyCommand=x"',
        '[servers.web1]\naddress = "a"\nsudo = "yes"',
        '[servers.web1]\naddress = "a"\npassword = "x"',
        '[servers.all]\naddress = "a"',
        "no toml",
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "servers.toml"
    path.write_text(text)
    with pytest.raises(InvalidSpec, match=r"servers\.toml"):
        read_catalogue(path)


def test_the_usual_place_follows_the_environment() -> None:
    assert usual_path({"BERTHMASTER_SERVERS": "/x"}) == Path("/x")
    assert usual_path({"XDG_CONFIG_HOME": "/c"}) == Path("/c/berthmaster/servers.toml")
    assert usual_path({"HOME": "/h"}) == Path("/h/.config/berthmaster/servers.toml")
