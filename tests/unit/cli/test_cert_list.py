"""`berth cert list` when the edge, or the whole engine, does not run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.cli.shop import Shop

from berthmaster.adapters.caddy.certificates import EdgeCertificates
from berthmaster.domain.errors import OutsideError, RuntimeUnavailable
from berthmaster.ports.certificates import HeldCertificate
from berthmaster.testing.certificates import FakeCertificates


@dataclass(slots=True)
class NoLog(FakeCertificates):
    """The certificates lie on the disk; the log is the engine's, which does not run."""

    async def errors(self) -> Mapping[str, str]:
        raise RuntimeUnavailable("the Docker Engine does not answer", subject="docker")


def test_what_is_held_is_listed_without_an_engine(shop: Shop) -> None:
    outside = shop.world.outside
    now = outside.clock.now()
    found = HeldCertificate("a.test", ("a.test",), "CN=CA", now, now + timedelta(days=60), False)
    shop.world.outside = replace(outside, certificates=NoLog({"a.test": found}))
    answer = shop.berth("cert", "list")
    assert answer.code == 0
    assert "a.test" in answer.out
    assert "why others have none is not known: the Docker Engine does not answer" in answer.err
    listed = shop.berth("cert", "list", "--json").json
    assert [item["host"] for item in listed["certificates"]] == ["a.test"]
    assert listed["log_error"] == "the Docker Engine does not answer"


@pytest.mark.parametrize("is_engine_up", [True, False])
async def test_an_edge_that_was_never_started_has_logged_nothing(
    tmp_path: Path, is_engine_up: bool
) -> None:
    async def read() -> str:
        if is_engine_up:
            raise OutsideError("berthmaster-edge: No such container", subject="berthmaster-edge")
        raise RuntimeUnavailable("the Docker Engine does not answer", subject="docker")

    certificates = EdgeCertificates(tmp_path, read)
    if is_engine_up:
        assert await certificates.errors() == {}
        return
    with pytest.raises(RuntimeUnavailable):
        await certificates.errors()
