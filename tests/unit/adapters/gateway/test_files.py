"""A disk that refuses a file of the gateway is the outside's fault, with a next command."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from berthmaster.adapters.caddy.certificates import EdgeCertificates
from berthmaster.adapters.gateway.applied import ConfigFile
from berthmaster.domain.errors import OutsideError
from berthmaster.ports.certificates import AppQuestion


async def no_log() -> str:
    return ""


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)


@pytest.mark.usefixtures("full_disk")
def test_what_the_responder_is_told_names_the_file(tmp_path: Path) -> None:
    questions = {"shop-prod": AppQuestion("/may", "shop.test", "https")}
    with pytest.raises(OutsideError, match="No space left on device") as refused:
        EdgeCertificates(tmp_path, no_log).tell_apps(questions)
    assert refused.value.next_command


@pytest.mark.usefixtures("full_disk")
def test_so_does_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="No space left on device"):
        ConfigFile(tmp_path / "haproxy.cfg", "global").write()
    assert not list(tmp_path.iterdir())
