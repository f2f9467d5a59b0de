"""Entrypoints that contradict each other are refused before anything is written."""

from pathlib import Path

import pytest

from berthmaster.adapters.caddy.config import EdgePaths, render_config
from berthmaster.domain.errors import GatewayRefused
from berthmaster.domain.routing import Entrypoint, Tls

PATHS = EdgePaths(Path("/gw/data"), Path("/gw/run"), Path("/gw/sites"))
HTTPS = Entrypoint("https", 443, tls=Tls.LOCAL)


@pytest.mark.parametrize(
    ("entrypoints", "why"),
    [
        ((HTTPS, Entrypoint("other", 8443, tls=Tls.ACME)), "in one way"),
        ((HTTPS, Entrypoint("http", 443)), "same port"),
        ((Entrypoint("http", 80, redirect_to="https"),), "redirect to a TLS entrypoint"),
    ],
)
def test_contradicting_entrypoints_are_refused(
    entrypoints: tuple[Entrypoint, ...], why: str
) -> None:
    with pytest.raises(GatewayRefused, match=why):
        render_config(PATHS, entrypoints)
