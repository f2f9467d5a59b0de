"""A log that cannot be written does not stop what it is about."""

from pathlib import Path

import pytest

from berthmaster.adapters.compose import process


@pytest.mark.parametrize("log", ["/dev/full", "/dev/full/no/folder/1.log"])
async def test_output_is_read_although_its_log_takes_nothing(log: str) -> None:
    ended = await process.run(process.Task(("echo", "started"), log=Path(log)))
    assert (ended.code, ended.output) == (0, b"started\n")
