"""Containers leave one after the other, on the engines that need it only."""

import asyncio

import pytest

from berthmaster.adapters.docker.leaving import Exit, is_affected


@pytest.mark.parametrize(
    ("version", "is_it"),
    [
        ("20.10.24+dfsg1", True),
        ("20.10.26", True),
        ("20.10.27", False),
        ("23.0.0", False),
        ("29.1.3-ce", False),
        ("19.03.15", True),
    ],
)
def test_engines_before_the_repair_are_affected(version: str, is_it: bool) -> None:
    assert is_affected(version) is is_it


@pytest.mark.parametrize(("version", "at_once"), [("20.10.24", 1), ("24.0.7", 3)])
async def test_so_many_leave_at_once(version: str, at_once: int) -> None:
    async def read() -> str:
        return version

    door, inside, most = Exit(read), 0, 0

    async def leave() -> None:
        nonlocal inside, most
        async with door.turn():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(leave(), leave(), leave())
    assert most == at_once
