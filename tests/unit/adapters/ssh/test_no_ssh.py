"""A machine without ssh, or with one that says nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from berthmaster.adapters.ssh import hostkeys
from berthmaster.adapters.ssh.system import SystemSsh, reach, run_fixed
from berthmaster.domain.elsewhere import ServerEntry
from berthmaster.domain.errors import OutsideError

HOST = ServerEntry("web1", "web1.test")


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH; empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o700)


@pytest.mark.parametrize(
    "ask",
    [
        lambda ssh: reach(ssh, HOST),
        lambda ssh: run_fixed(ssh, HOST, ("true",), b"", 5),
        lambda ssh: hostkeys.scan(ssh, HOST),
    ],
)
def test_a_machine_without_ssh_is_told_to_get_it(
    tools: Path, tmp_path: Path, ask: Callable[[SystemSsh], object]
) -> None:
    with pytest.raises(OutsideError, match="ssh is not on PATH"):
        ask(SystemSsh(tmp_path / "known_hosts"))


def test_a_key_that_cannot_be_read_is_none(tools: Path, tmp_path: Path) -> None:
    program(tools, "ssh", "echo hostname web1.test; echo port 22")
    program(tools, "ssh-keyscan", "echo web1.test ssh-new AAAA")
    program(tools, "ssh-keygen", "exit 255")
    with pytest.raises(OutsideError, match="nothing that speaks ssh answers"):
        hostkeys.scan(SystemSsh(tmp_path / "known_hosts"), HOST)


def test_a_scan_that_does_not_end_is_given_up(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostkeys, "_SECONDS", 0.2)
    program(tools, "ssh", "exec /bin/sleep 5")
    with pytest.raises(OutsideError, match="did not end"):
        hostkeys.scan(SystemSsh(tmp_path / "known_hosts"), HOST)
