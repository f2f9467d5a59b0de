"""A PostgreSQL that still starts is waited for before anything is restored into it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from berthmaster.adapters.postgres.server import Server, await_answer
from berthmaster.domain.container import ExecResult
from berthmaster.ports.runtime import Runtime

STARTS, SILENT, READY, NO_SUCH_TOOL = 1, 2, 0, 127


@dataclass
class Starting:
    """Ends `pg_isready` with one code after the other, and with the last one from then on."""

    codes: list[int]
    asked: list[Sequence[str]] = field(default_factory=list)

    async def execute(self, container: str, command: Sequence[str], **_: Any) -> ExecResult:
        self.asked.append(command)
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        return ExecResult(code, "", "")


def server(runtime: Starting) -> Server:
    return Server(cast("Runtime", runtime), "db", "shop")


@pytest.mark.parametrize("last", [READY, NO_SUCH_TOOL])
async def test_it_is_asked_until_it_answers(last: int) -> None:
    runtime = Starting([SILENT, STARTS, last])
    await await_answer(server(runtime))
    assert len(runtime.asked) == 3
    assert "--host=127.0.0.1" in runtime.asked[0]  # an image's first, private server is none


async def test_one_that_never_answers_is_left_to_whoever_asks_next() -> None:
    runtime = Starting([SILENT])
    await await_answer(server(runtime), seconds=0.01)
    assert runtime.asked
