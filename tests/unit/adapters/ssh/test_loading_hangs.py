"""An engine that takes an image and never says that it has it."""

import json
import os
from pathlib import Path

import pytest

from berthmaster.adapters.ssh import images
from berthmaster.adapters.ssh.wire import Wire
from berthmaster.domain.errors import OutsideError


def test_it_is_ended_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "docker"
    tool.write_text("#!/bin/sh\nexec /bin/sleep 20\n")
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(images, "_LOAD_SECONDS", 0.3)
    read, write = os.pipe()
    config = json.dumps({"rootfs": {"diff_ids": []}})
    image = images.Announced("shop:v1", config, ())
    try:
        with pytest.raises(OutsideError, match="shop:v1"):
            images._load(Wire(read, write), image, 0, "unix:///none")
    finally:
        os.close(read)
        os.close(write)
