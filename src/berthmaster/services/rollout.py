"""`berth rollout`: a new tag for every tenant of an environment, canaries first, then in waves.

Each tenant is deployed like any stack; a failing one is unwound and its old release serves. More
failures than the budget stop the rollout before the next tenant begins. All of it is in the store:
whoever was killed is continued.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from berthmaster.domain.errors import BerthmasterError, Bug, Interrupted, NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.rollout import LineState, Rollout, RolloutLine, RolloutState
from berthmaster.engine.lease import hold
from berthmaster.planner.rolling import plan_lines, waves_of, why_left_out
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.carry_out import Outcome
from berthmaster.services.deploy import deploy
from berthmaster.services.deploy_all import OneOfMany
from berthmaster.services.render_model import ReleaseRequest
from berthmaster.services.roll_back import roll_back
from berthmaster.services.tell import tell as tell_person

AT_ONCE: Final = 4
WAVE_SIZE: Final = 10
NAMED: Final = 5  # tenants that an alert names
_OVER: Final = (RolloutState.DONE, RolloutState.RETURNED, RolloutState.REPLACED)
Tell = Callable[[RolloutLine], None]


@dataclass(frozen=True, slots=True)
class RolloutRequest:
    """What a person asked for."""

    app: str
    environment: str
    folder: Path
    tag: str
    canaries: tuple[str, ...] = ()
    wave_size: int = WAVE_SIZE
    at_once: int = AT_ONCE
    budget: int = 0


async def start(
    outside: Outside, wanted: RolloutRequest, progress: Progress, tell: Tell
) -> Rollout:
    """Begin one; one that is paused or stopped counts as replaced."""
    name = f"rollout {wanted.app}@{wanted.environment}"
    async with hold(outside.store, name, what="berth rollout"):
        lines = _lines(outside, wanted)
        rollout = Rollout(
            0,
            wanted.app,
            wanted.environment,
            wanted.tag,
            RolloutState.RUNNING,
            wanted.at_once,
            wanted.budget,
            outside.clock.now(),
            outside.actor,
            lines,
        )
        outside.store.add_rollout(rollout)
        return await _run(
            outside, wanted.folder, newest(outside, wanted.app, wanted.environment), progress, tell
        )


async def go_on(
    outside: Outside, app: str, environment: str, folder: Path, progress: Progress, tell: Tell
) -> Rollout:
    """Continue one that was paused, stopped or killed; tenants that failed are tried again."""
    rollout = newest(outside, app, environment)
    async with hold(outside.store, rollout.name, what="berth rollout --continue"):
        rollout = newest(outside, app, environment)
        if rollout.state in (RolloutState.RETURNING, *_OVER):
            raise NotAllowed(
                f"{rollout.name} to {rollout.tag} is {rollout.state}",
                next_command=f"berth rollout {app}@{environment} --tag TAG",
            )
        for line in rollout.lines:
            if line.state in (LineState.RUNNING, LineState.FAILED):
                outside.store.set_rollout_line(rollout.id, _found(outside, rollout, line))
        outside.store.set_rollout_state(rollout.id, RolloutState.RUNNING)
        return await _run(outside, folder, newest(outside, app, environment), progress, tell)


def pause(outside: Outside, app: str, environment: str) -> Rollout:
    """Let no further tenant begin; those that are on their way come to their end."""
    rollout = newest(outside, app, environment)
    if rollout.state is not RolloutState.RUNNING:
        raise NotAllowed(f"{rollout.name} to {rollout.tag} is {rollout.state}, not running")
    outside.store.set_rollout_state(rollout.id, RolloutState.PAUSED)
    return newest(outside, app, environment)


async def go_back(
    outside: Outside, app: str, environment: str, progress: Progress, tell: Tell
) -> Rollout:
    """Return every tenant that got the new release to the one before; once more after a kill."""
    rollout = newest(outside, app, environment)
    async with hold(outside.store, rollout.name, what="berth rollout --back"):
        rollout = newest(outside, app, environment)
        if rollout.state in (RolloutState.RETURNED, RolloutState.REPLACED):
            raise NotAllowed(f"{rollout.name} to {rollout.tag} is {rollout.state}")
        outside.store.set_rollout_state(rollout.id, RolloutState.RETURNING)
        for line in rollout.lines:
            if line.state is LineState.RUNNING:
                outside.store.set_rollout_line(rollout.id, _found(outside, rollout, line))
        rollout = newest(outside, app, environment)

        async def one(line: RolloutLine) -> None:
            await _return_one(outside, rollout, line, progress, tell)

        changed = [line for line in rollout.lines if line.is_changed]
        await _each(changed, rollout.at_once, one)
        rollout = newest(outside, app, environment)
        if not any(line.is_changed for line in rollout.lines):
            outside.store.set_rollout_state(rollout.id, RolloutState.RETURNED)
        return newest(outside, app, environment)


def newest(outside: Outside, app: str, environment: str) -> Rollout:
    """The last rollout of an environment; raises `NotFound` when there was none."""
    found = outside.store.rollout(app, environment)
    if found is None:
        raise NotFound(
            f"there was no rollout in {app}@{environment} yet",
            next_command=f"berth rollout {app}@{environment} --tag TAG",
        )
    return found


def _lines(outside: Outside, wanted: RolloutRequest) -> tuple[RolloutLine, ...]:
    tenants = outside.store.tenants(wanted.app, wanted.environment)
    live = {item.stack for item in outside.store.live_releases()}
    unknown = set(wanted.canaries) - {item.slug for item in tenants}
    if unknown:
        raise NotFound(f"--canary names no tenant: {', '.join(sorted(unknown))}")
    lines = plan_lines(tenants, live, canaries=wanted.canaries, wave_size=wanted.wave_size)
    if not any(line.state is LineState.PENDING for line in lines):
        raise NotFound(
            f"{wanted.app}@{wanted.environment} has no tenant that could get {wanted.tag}",
            next_command=f"berth tenant list {wanted.app}@{wanted.environment}",
        )
    return lines


async def _run(
    outside: Outside, folder: Path, rollout: Rollout, progress: Progress, tell: Tell
) -> Rollout:
    async def one(line: RolloutLine) -> None:
        now = newest(outside, rollout.app, rollout.environment)
        if now.state is RolloutState.RUNNING and not now.is_over_budget:
            await _deploy_one(outside, folder, rollout, line, progress, tell)

    for wave in waves_of(rollout.lines):
        pending = [line for line in wave if line.state is LineState.PENDING]
        await _each(pending, rollout.at_once, one)
        now = newest(outside, rollout.app, rollout.environment)
        if now.is_over_budget:
            outside.store.set_rollout_state(rollout.id, RolloutState.STOPPED)
            await _tell_stop(outside, now, progress)
        if now.state is not RolloutState.RUNNING or now.is_over_budget:
            return newest(outside, rollout.app, rollout.environment)
    outside.store.set_rollout_state(rollout.id, RolloutState.DONE, unless=RolloutState.PAUSED)
    return newest(outside, rollout.app, rollout.environment)


async def _tell_stop(outside: Outside, rollout: Rollout, progress: Progress) -> None:
    """Who watches a rollout of hundreds may be asleep when it stops."""
    where = f"{rollout.app}@{rollout.environment}"
    failed = [line.stack.tenant or "" for line in rollout.lines if line.state is LineState.FAILED]
    names = ", ".join(failed[:NAMED]) + (", ..." if len(failed) > NAMED else "")
    text = (
        f"{where}: the rollout to {rollout.tag} stopped: {len(failed)} of {len(rollout.lines)}"
        f" tenants failed ({names}), and {rollout.budget} may; next: berth rollout show {where}"
    )
    problem = await tell_person(outside, [text])
    if problem is not None:
        progress.note(problem)


async def _each(
    lines: list[RolloutLine], at_once: int, work: Callable[[RolloutLine], Awaitable[None]]
) -> None:
    """A few at a time; all of them are waited for, so that an interrupted one has put back."""
    limit = asyncio.Semaphore(at_once)

    async def bounded(line: RolloutLine) -> None:
        async with limit:
            await work(line)

    for end in await asyncio.gather(*map(bounded, lines), return_exceptions=True):
        if isinstance(end, BaseException):
            raise end


async def _deploy_one(
    outside: Outside,
    folder: Path,
    rollout: Rollout,
    line: RolloutLine,
    progress: Progress,
    tell: Tell,
) -> None:
    old = _live(outside, line.stack)
    if why := _why_left_out(outside, line.stack):
        _end(outside, rollout, replace(line, state=LineState.SKIPPED, old=old, note=why), tell)
        return
    line = replace(line, state=LineState.RUNNING, old=old, new=None, note="")
    outside.store.set_rollout_line(rollout.id, line)
    request = ReleaseRequest(line.stack, folder, rollout.tag, command="berth rollout")
    try:
        done = await deploy(outside, request, OneOfMany(progress, line.stack))
    except (Interrupted, Bug):
        raise
    except BerthmasterError as error:
        line = _failed(outside, line, error)
    else:
        is_same = not isinstance(done, Outcome)
        new = old if is_same else _live(outside, line.stack)
        note = "had it already" if is_same else ""
        line = replace(line, state=LineState.DONE, new=new, note=note)
    _end(outside, rollout, line, tell)


def _failed(outside: Outside, line: RolloutLine, error: BerthmasterError) -> RolloutLine:
    """One that was suspended or removed meanwhile is no failure; one may fail after the switch."""
    live = _live(outside, line.stack)
    if live == line.old and (why := _why_left_out(outside, line.stack)):
        return replace(line, state=LineState.SKIPPED, note=why)
    new = live if live != line.old else None
    return replace(line, state=LineState.FAILED, new=new, note=error.message.partition("\n")[0])


def _why_left_out(outside: Outside, stack: StackId) -> str:
    return why_left_out(outside.store.tenant(stack), _live(outside, stack) is not None)


def _end(outside: Outside, rollout: Rollout, line: RolloutLine, tell: Tell) -> None:
    outside.store.set_rollout_line(rollout.id, line)
    tell(line)


async def _return_one(
    outside: Outside, rollout: Rollout, line: RolloutLine, progress: Progress, tell: Tell
) -> None:
    live = _live(outside, line.stack)
    try:
        if line.old is not None and live == line.new and line.new != line.old:
            told = OneOfMany(progress, line.stack)
            await roll_back(outside, line.stack, told, to=line.old)
            line = replace(line, state=LineState.BACK, note=f"r{line.old} serves again")
        else:
            note = "it runs no release" if live is None else f"left at r{live}"
            line = replace(line, state=LineState.BACK, note=note)
    except (Interrupted, Bug):
        raise
    except BerthmasterError as error:
        line = replace(line, note=f"not back: {error.message.partition(chr(10))[0]}")
    _end(outside, rollout, line, tell)


def _found(outside: Outside, rollout: Rollout, line: RolloutLine) -> RolloutLine:
    """How far a tenant got whose end nobody recorded; what failed is tried again."""
    live = _live(outside, line.stack)
    tag = next((one.tag for one in outside.store.live_releases() if one.stack == line.stack), None)
    if tag == rollout.tag and live != line.old:
        return replace(line, state=LineState.DONE, new=live, note="")
    return replace(line, state=LineState.PENDING, note="")


def _live(outside: Outside, stack: StackId) -> int | None:
    record = outside.store.stack(stack)
    return record.live if record else None
