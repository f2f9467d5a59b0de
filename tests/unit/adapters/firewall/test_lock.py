"""Somebody else holds the packet filter's lock, or speaks another language."""

from pathlib import Path

import pytest

from berthmaster.adapters.firewall import iptables
from berthmaster.adapters.firewall.errors import FirewallFailed


def tool(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    path = folder / "iptables"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    monkeypatch.setenv("PATH", str(folder))


async def test_a_lock_that_nobody_gives_back_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path, monkeypatch, "exec /bin/sleep 20")
    monkeypatch.setattr(iptables, "_SECONDS", 0.3, raising=False)
    with pytest.raises(FirewallFailed, match="did not end"):
        await iptables.Iptables().refused([443])


async def test_what_is_said_in_another_encoding_is_said_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path, monkeypatch, "printf 'Zugriff verweigert \\374' >&2; exit 4")
    with pytest.raises(FirewallFailed, match="Zugriff verweigert"):
        await iptables.Iptables().refused([443])
