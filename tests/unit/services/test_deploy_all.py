"""`deploy --all`: a few stacks at a time; none stops the others; an interruption waits for all."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.unit.engine.worlds import empty_world

from berthmaster.domain.errors import DeploymentFailed, Interrupted
from berthmaster.domain.names import StackId
from berthmaster.ports.progress import Silence
from berthmaster.services import deploy_all as subject
from berthmaster.services.deploy import Unchanged
from berthmaster.services.render_model import ReleaseRequest

STACKS = [StackId(f"shop{number}", "prod") for number in range(11)]


class Deploys:
    """Stands for `deploy`: notes how many run at once, and how each ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.running = self.most = 0
        self.put_back: list[StackId] = []
        self.bad: frozenset[StackId] = frozenset()
        self.is_endless = False
        requests = tuple(ReleaseRequest(item, Path(), command="test") for item in STACKS)
        monkeypatch.setattr(subject, "choose_stacks", lambda *_: (requests, ()))
        monkeypatch.setattr(subject, "deploy", self.deploy)

    async def deploy(self, _: Any, request: ReleaseRequest, *__: Any, **___: Any) -> Unchanged:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await (asyncio.Event().wait() if self.is_endless else asyncio.sleep(0))
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self.put_back.append(request.stack)
            raise Interrupted("unwound") from None
        finally:
            self.running -= 1
        if request.stack in self.bad:
            raise DeploymentFailed("it is bad")
        return Unchanged(1, None)


@pytest.fixture
def deploys(monkeypatch: pytest.MonkeyPatch) -> Deploys:
    return Deploys(monkeypatch)


async def test_a_few_run_at_a_time(deploys: Deploys) -> None:
    found = await subject.deploy_all(empty_world().outside, Silence())
    assert found.unchanged == tuple(STACKS)
    assert deploys.most == subject.AT_ONCE


async def test_a_failure_does_not_stop_the_others(deploys: Deploys) -> None:
    deploys.bad = frozenset(STACKS[2:4])
    found = await subject.deploy_all(empty_world().outside, Silence())
    assert [stack for stack, _ in found.failed] == STACKS[2:4]
    assert len(found.unchanged) == len(STACKS) - 2


async def test_an_interruption_ends_when_each_has_put_its_own_back(deploys: Deploys) -> None:
    deploys.is_endless = True
    task = asyncio.create_task(subject.deploy_all(empty_world().outside, Silence()))
    while deploys.running < subject.AT_ONCE:  # noqa: ASYNC110 - one turn each
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises((Interrupted, asyncio.CancelledError)):
        await task
    assert (deploys.running, len(deploys.put_back)) == (0, subject.AT_ONCE)
