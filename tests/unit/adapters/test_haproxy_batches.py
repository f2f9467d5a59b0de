"""The runtime socket takes 16 KiB in one line, and a path may be of any length."""

from pathlib import Path

import pytest

from berthmaster.adapters.haproxy.layout import Layout
from berthmaster.adapters.haproxy.runtime import Runtime

BUFFER = 16 * 1024


async def test_no_line_is_longer_than_the_socket_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []

    async def note(self: Runtime, line: str) -> str:
        lines.append(line)
        return "ok"

    monkeypatch.setattr(Runtime, "_ask", note)
    commands = [f"add map /m/prefixes.map shop-prod/r7/{'p' * 600}/{n} b0001::" for n in range(99)]
    said = await Runtime(Layout(Path("/none"))).send(commands)
    assert max(map(len, lines)) < BUFFER
    assert ";".join(lines) == ";".join(commands)
    assert said.split() == ["ok"] * len(lines)
