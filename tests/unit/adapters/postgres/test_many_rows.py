"""More domains than the engine's exec keeps in memory: ten thousand of a pooled app."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from berthmaster.adapters.docker.execution import KEPT_BYTES
from berthmaster.adapters.postgres import domainrows
from berthmaster.adapters.postgres.server import Server
from berthmaster.domain.container import ExecResult
from berthmaster.domain.spec import RowSource
from berthmaster.ports.runtime import Runtime

ROWS = [
    {"id": f"{n:036}", "domain": f"shop-{n}.example.com", "is_primary": True, "tenant": f"{n:036}"}
    for n in range(10_000)
]


class Long:
    """Answers with all rows, of which only the end is kept unless a file takes them."""

    async def execute(
        self, container: str, command: Sequence[str], *, into: Path | None = None, **_: Any
    ) -> ExecResult:
        text = json.dumps(ROWS)
        if into is None:
            return ExecResult(0, text[-KEPT_BYTES:], "")
        into.write_text(text)  # noqa: ASYNC240 - a test
        return ExecResult(0, "", "")


async def test_all_of_them_are_read() -> None:
    server = Server(cast("Runtime", Long()), "db", "shop")
    source = RowSource("db", "shop")
    found = await domainrows.read(server, source)
    assert found is not None
    assert len(found) == len(ROWS)
    assert found[0].domain == "shop-0.example.com"
