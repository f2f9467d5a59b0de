"""What a client may say of an image that it was asked for."""

import json
from typing import Any

import pytest

from berthmaster.adapters.ssh.images import parse_announced
from berthmaster.domain.errors import OutsideError

LAYER = "sha256:" + "ab" * 32
WANTED = {"shop:v1": ""}


def row(**changes: Any) -> bytes:
    config = json.dumps({"rootfs": {"diff_ids": [LAYER]}})
    good = {"reference": "shop:v1", "config": config, "layers": [[LAYER, 3]]}
    return json.dumps([{**good, **changes}]).encode()


def test_what_was_asked_for_is_taken() -> None:
    (image,) = parse_announced(row(), WANTED)
    assert (image.reference, image.layers) == ("shop:v1", ((LAYER, 3),))


@pytest.mark.parametrize(
    "body",
    [
        row(reference="berthmaster/haproxy:2.6"),
        row(layers=[["sha256:../../etc/passwd", 3]]),
        row(layers=[[LAYER, -1]]),
        row(layers=[[LAYER, 3], [LAYER, 3]]),
        row(layers=[]),
        row(config="{}"),
        row(config="no json"),
        row(config=" " * (5 << 20)),
        b"{}",
        b"[1]",
        b"no json",
    ],
)
def test_what_was_not_asked_for_or_contradicts_itself_is_refused(body: bytes) -> None:
    with pytest.raises(OutsideError):
        parse_announced(body, WANTED)
