"""Ports that were taken from somebody's proxy: kept in a file, added to the entrypoints."""

import json
from pathlib import Path

import pytest

from berthmaster.adapters.caddy.config import EdgePaths
from berthmaster.adapters.caddy.config import render_config as render_edge
from berthmaster.adapters.haproxy.config import render_config as render_router
from berthmaster.adapters.haproxy.layout import Layout
from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.routing import TAKEOVER_FILE, Entrypoint, Tls
from berthmaster.domain.takeover import (
    Replaced,
    TakenPort,
    Takeover,
    parse_takeover,
    render_takeover,
    with_takeover,
)
from berthmaster.settings import read_settings

HTTP, HTTPS = Entrypoint("http", 8080, redirect_to="https"), Entrypoint("https", 8443, Tls.LOCAL)
PLAIN = Entrypoint("stage", 8081)
PROXY = Replaced("id", "nginx", "always", (80, 443))
TAKEN = (TakenPort("http", 80), TakenPort("https", 443), TakenPort("stage", 81))


def takeover(*, listens: bool) -> Takeover:
    return Takeover("shop@prod", PROXY, TAKEN, listens)


def test_the_file_is_read_back_and_one_that_is_damaged_counts_as_none() -> None:
    value = takeover(listens=True)
    assert parse_takeover(render_takeover(value)) == value
    for text in ("", "{", "{}", "[]", '{"type": "Takeover"}'):
        assert parse_takeover(text) is None


def test_the_settings_know_the_ports_and_a_file_cannot_say_them(tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / TAKEOVER_FILE).write_text(render_takeover(takeover(listens=True)))
    file = tmp_path / "settings.toml"
    text = f"state_folder = '{tmp_path}'\n[[entrypoints]]\nname = 'https'\nport = 8443\n"
    file.write_text(f"{text}tls = 'local'\n")
    (found,) = read_settings(file, {}).entrypoints
    assert found.ports == (8443, 443)
    file.write_text(f"{text}also = 443\n")
    with pytest.raises(InvalidSpec, match="replace-proxy"):
        read_settings(file, {})


def test_a_port_that_an_entrypoint_has_by_now_is_not_taken_twice() -> None:
    own = Entrypoint("https", 443, Tls.LOCAL)
    assert with_takeover((own,), takeover(listens=True)) == (own,)


def test_links_name_the_ports_that_visitors_dial_before_the_gateway_listens_there() -> None:
    before = with_takeover((HTTP, HTTPS, PLAIN), takeover(listens=False))
    after = with_takeover((HTTP, HTTPS, PLAIN), takeover(listens=True))
    layout = Layout(Path("/gw"))
    router = render_router(layout, before)
    assert "location https://%[var(txn.host)]%[pathq]" in router
    assert "set-var(txn.port) str(443)" in router
    assert "bind 0.0.0.0:81\n" not in router
    assert "bind 0.0.0.0:81\n" in render_router(layout, after)
    paths = EdgePaths(Path("/gw/data"), Path("/gw/run"), Path("/gw/sites"))
    assert listens(render_edge(paths, before)) == {":8080", ":8443"}
    assert listens(render_edge(paths, after)) == {":8080", ":8443", ":80", ":443"}


def listens(text: str) -> set[str]:
    servers = json.loads(text)["apps"]["http"]["servers"]
    return {one for server in servers.values() for one in server["listen"] if one[0] == ":"}
