"""Input that cannot be read to its end, for a command that waits for it."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from berthmaster.adapters.docker import execution
from berthmaster.domain.errors import OutsideError


class Waiting:
    """A command that says nothing until its input ends, which is never."""

    _resp = None

    def start(self) -> "Waiting":
        return self

    async def exec(self, *_: object, **__: object) -> "Waiting":
        return self

    async def __aenter__(self) -> "Waiting":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def read_out(self) -> None:
        await asyncio.Event().wait()


async def test_a_source_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    command = execution.Command(("psql",), source=tmp_path / "none")
    began = asyncio.get_running_loop().time()
    with pytest.raises(OutsideError, match="none cannot be read: No such file"):
        async with asyncio.timeout(5):
            await execution.run(cast("Any", Waiting()), command)
    assert asyncio.get_running_loop().time() - began < 2


class Hasty(Waiting):
    """Takes a little of its input, goes, and says its last words afterwards."""

    words = 2

    async def write_in(self, data: bytes) -> None:
        raise ConnectionResetError

    async def read_out(self) -> Any:
        await asyncio.sleep(0)
        self.words -= 1
        return SimpleNamespace(stream=1, data=b"done") if self.words > 0 else None

    async def inspect(self) -> dict[str, int]:
        return {"ExitCode": 3}


async def test_a_command_that_reads_no_more_may_still_speak(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"x" * 200_000)
    command = execution.Command(("head",), source=tmp_path / "rows")
    ended = await execution.run(cast("Any", Hasty()), command)
    assert (ended.exit_code, ended.output) == (3, "done")
