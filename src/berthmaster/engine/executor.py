"""Walks a plan under a lease: journal, effect, journal; unwinds a failed one, resumes a killed one.

Before the point of no return a failure (or Ctrl-C) reverses the done steps; after it steps are only
retried, and Ctrl-C leaves the rest to the next command. Reversing is never cut short. What was
begun and not recorded is done again forwards, or undone backwards: both are harmless.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from itertools import count, groupby
from typing import Final

from berthmaster.domain.deployment import (
    RELEASING,
    TERMINAL,
    Deployment,
    DeploymentState,
    JournalRow,
    StepState,
)
from berthmaster.domain.errors import (
    BerthmasterError,
    Bug,
    DeploymentFailed,
    Interrupted,
    LeaseLost,
    OutsideError,
)
from berthmaster.domain.plan import (
    Action,
    AwaitReady,
    Drain,
    DrainProxy,
    PullImage,
    RemoveContainers,
    RemoveJob,
    RestoreDatabase,
    RunJob,
    StartContainers,
    StartProxy,
    Step,
    StopContainers,
    StopProxy,
    TakeRestorePoint,
    Watch,
)
from berthmaster.domain.report import ReleaseRefused
from berthmaster.engine.effects import Effects, Work
from berthmaster.engine.failpoints import Failpoint
from berthmaster.engine.jobs import JobFailed
from berthmaster.engine.lease import HeldLease
from berthmaster.engine.observation import Observation, observe
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress

TRIES: Final = 3  # of an undo, and of a step after the point of no return
# How long an engine or a gateway that went away is waited for, tries included: a restart of Docker
# with 100 containers takes half of it.
PATIENCE_SECONDS: Final = 90.0
LONGEST_PAUSE_SECONDS: Final = 2.0
STEP_SECONDS: Final = 120.0  # limit of a step that brings none of its own
PULL_SECONDS: Final = 1800.0
_S = DeploymentState
_UNDOING: Final = frozenset({StepState.UNDO_STARTED, StepState.UNDONE, StepState.UNDO_FAILED})


class Executor:
    """Runs one deployment; construct one for each."""

    def __init__(
        self,
        outside: Outside,
        lease: HeldLease,
        progress: Progress,
        failpoint: Failpoint | None = None,
    ) -> None:
        self._outside = outside
        self._lease = lease
        self._progress = progress
        self._failpoint = failpoint
        self._effects = Effects(outside, lease, progress)
        self._in_doubt: set[int] = set()  # begun by a killed run, end not recorded

    async def run(self, deployment: Deployment) -> None:
        """Carry a new or a killed deployment forward to its end.

        Raises what refused the release after unwinding it, or `OutsideError` when it is stuck.
        """
        rows = self._outside.store.journal(deployment.id)
        done = succeeded_steps(rows)
        self._in_doubt = {row.step for row in rows} - done
        state = deployment.state
        if state is _S.PLANNED:
            state = self._change(deployment, state, _S.APPLYING)
        elif state is _S.STUCK:
            state = self._change(deployment, state, _S.RETIRING)
        self._progress.plan_started(deployment.plan, deployment.label)
        before = tuple(step for step in deployment.plan.steps if not step.is_forward_only)
        after = tuple(step for step in deployment.plan.steps if step.is_forward_only)
        if state is _S.APPLYING:
            await self._forward(deployment, before, done)
            state = self._change(deployment, state, _S.RETIRING)
        await self._finish(deployment, after, done)

    async def unwind(self, deployment: Deployment, error: str = "") -> None:
        """Reverse every step that was begun, newest first; ends `unwound`, or `stuck` when an undo
        fails.

        Whoever cancels it waits for its end, and what comes after it is cancelled instead.
        """
        if await self._to_the_end(self._unwind(deployment, error)):
            _current_task().cancel()

    async def _unwind(self, deployment: Deployment, error: str) -> None:
        state = self._state(deployment)
        if state is not _S.UNWINDING:
            self._change(deployment, state, _S.UNWINDING, error)
        rows = self._outside.store.journal(deployment.id)
        begun = {row.step for row in rows}
        undone = {row.step for row in rows if row.state is StepState.UNDONE}
        for step in reversed(deployment.plan.steps):
            if step.number in begun and step.number not in undone and step.undo is not None:
                await self._undo(deployment, step, step.undo, error)
        self._change(deployment, _S.UNWINDING, _S.UNWOUND, error)

    async def _forward(
        self, deployment: Deployment, steps: tuple[Step, ...], done: set[int]
    ) -> None:
        try:
            for phase in phases(steps):
                await self._do_together(
                    deployment, [step for step in phase if step.number not in done]
                )
        except LeaseLost:
            raise
        except BerthmasterError as error:
            await self.unwind(deployment, report_of(error))
            raise
        except asyncio.CancelledError:
            _current_task().uncancel()
            self._progress.note("interrupted: reversing what was done; kill -9 is safe too")
            await self._to_the_end(self._unwind(deployment, "interrupted"))
            raise Interrupted(f"{deployment.stack}: interrupted and unwound") from None

    async def _to_the_end(self, work: Coroutine[object, object, None]) -> bool:
        """Wait for work that must not stop half way; says whether a cancellation came meanwhile."""
        task, is_cancelled = asyncio.ensure_future(work), False
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                _current_task().uncancel()
                is_cancelled = True
                self._progress.note("the reversal is finished first; kill -9 is safe too")
        task.result()
        return is_cancelled

    async def _finish(
        self, deployment: Deployment, steps: tuple[Step, ...], done: set[int]
    ) -> None:
        for step in steps:
            if step.number in done:
                continue
            try:
                await self._retry(deployment, step)
            except (OutsideError, DeploymentFailed) as error:
                text = f"step {step.number} ({step.subject}: {step.what}) failed: {error.message}"
                if is_passing(error):
                    raise _left_for_later(
                        f"{deployment.stack}: {text}. The new release serves; tidying up goes on"
                        " with the next command",
                        step,
                    ) from error
                self._change(deployment, _S.RETIRING, _S.STUCK, text)
                raise OutsideError(
                    f"{deployment.stack}: {text}. The new release serves; tidying up is not done.",
                    subject=step.subject,
                    next_command=f"berth continue {deployment.label}",
                ) from error
            except asyncio.CancelledError:
                _current_task().uncancel()
                raise Interrupted(
                    f"{deployment.stack}: interrupted past the point of no return, at step "
                    f"{step.number} ({step.subject}: {step.what}).{_what_serves(deployment)} "
                    "The next command that changes something does the rest",
                    next_command=f"berth continue {deployment.label}",
                ) from None
        self._change(deployment, _S.RETIRING, _S.SUCCEEDED)

    async def _do_together(self, deployment: Deployment, steps: list[Step]) -> None:
        """Do the steps of a phase at once and wait for all, so that an undo finds nothing in
        motion.
        """
        work = (self._do(deployment, step, step.action) for step in steps)
        for result in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _retry(self, deployment: Deployment, step: Step) -> None:
        start = self._outside.clock.monotonic()
        for attempt in count(1):
            try:
                await self._do(deployment, step, step.action)
            except (OutsideError, DeploymentFailed) as error:
                await self._pause_or_raise(error, attempt, start)
            else:
                return

    async def _pause_or_raise(
        self, error: OutsideError | DeploymentFailed, attempt: int, start: float
    ) -> None:
        """Wait before another try; raise when there were enough, or it took too long to come back.

        An engine that is restarted in the middle comes back within seconds: whoever waits for it
        leaves nothing half done.
        """
        waited = self._outside.clock.monotonic() - start
        if attempt >= TRIES and not (is_passing(error) and waited < PATIENCE_SECONDS):
            raise error
        if attempt == TRIES:
            self._progress.note(f"{error.message}: waiting up to {PATIENCE_SECONDS:.0f} s for it")
        await self._outside.clock.sleep(min(0.5 * attempt, LONGEST_PAUSE_SECONDS))

    async def _do(self, deployment: Deployment, step: Step, action: Action) -> None:
        self._lease.at_step(f"{step.number}: {step.what} {step.subject}")
        self._write(deployment, step, StepState.STARTED)
        self._progress.step_started(step, is_undo=False)
        start = self._outside.clock.monotonic()
        try:
            detail = await self._effect(deployment, step, action, is_undo=False)
        except Exception as error:
            known = _known(step, error)
            seconds = self._outside.clock.monotonic() - start
            self._write(deployment, step, StepState.FAILED, known.message)
            self._progress.step_failed(step, is_undo=False, seconds=seconds, error=known.message)
            if known is error:
                raise
            raise known from error
        self._write(deployment, step, StepState.SUCCEEDED, detail)
        self._hit(step, action, "after", is_undo=False)
        seconds = self._outside.clock.monotonic() - start
        self._progress.step_ended(step, is_undo=False, seconds=seconds, detail=detail)

    async def _undo(self, deployment: Deployment, step: Step, action: Action, cause: str) -> None:
        self._write(deployment, step, StepState.UNDO_STARTED)
        self._progress.step_started(step, is_undo=True)
        start = self._outside.clock.monotonic()
        try:
            await self._undo_patiently(step, deployment, action)
        except OutsideError as error:
            text = f"undoing step {step.number} ({step.undo_text}) failed: {error.message}"
            if is_passing(error):
                raise _left_for_later(
                    f"{deployment.stack}: {text}. The reversal goes on with the next command", step
                ) from error
            self._stick(deployment, step, error, cause)
            raise OutsideError(
                f"{deployment.stack}: {text}. It needs a person.",
                subject=step.subject,
                next_command=f"berth unwind {deployment.label}",
            ) from error
        self._write(deployment, step, StepState.UNDONE)
        self._hit(step, action, "after", is_undo=True)
        seconds = self._outside.clock.monotonic() - start
        self._progress.step_ended(step, is_undo=True, seconds=seconds, detail="")

    async def _undo_patiently(self, step: Step, deployment: Deployment, action: Action) -> None:
        start = self._outside.clock.monotonic()
        for attempt in count(1):
            try:
                await self._effect(deployment, step, action, is_undo=True)
                return
            except OutsideError as error:
                await self._pause_or_raise(error, attempt, start)

    def _stick(self, deployment: Deployment, step: Step, error: OutsideError, cause: str) -> None:
        self._write(deployment, step, StepState.UNDO_FAILED, error.message)
        text = f"{cause}\nundoing step {step.number} failed: {error.message}"
        self._change(deployment, _S.UNWINDING, _S.STUCK, text)

    async def _effect(
        self, deployment: Deployment, step: Step, action: Action, *, is_undo: bool
    ) -> str:
        if not is_undo and step.number in self._in_doubt:
            self._in_doubt.discard(step.number)
            if await observe(self._outside, action) is Observation.DONE:
                return "observed: it had been done before the run was killed"
        self._hit(step, action, "before", is_undo=is_undo)
        self._lease.check()  # what an engine is told cannot be fenced afterwards
        limit = limit_seconds(action)
        try:
            async with asyncio.timeout(limit), self._hit_during(step, action, is_undo=is_undo):
                detail = await self._effects.perform(action, Work(deployment.id, step.number))
        except TimeoutError as error:
            raise OutsideError(
                f"{step.subject}: {step.what} did not end in {limit:.0f} s",
                subject=step.subject,
                retryable=True,
            ) from error
        self._hit(step, action, "after_unrecorded", is_undo=is_undo)
        return detail

    def _hit(self, step: Step, action: Action, point: str, *, is_undo: bool) -> None:
        if self._failpoint is not None:
            self._failpoint.hit(step.number, action, point, is_undo=is_undo)

    @contextlib.asynccontextmanager
    async def _hit_during(
        self, step: Step, action: Action, *, is_undo: bool
    ) -> AsyncIterator[None]:
        if self._failpoint is None:
            yield
            return
        with self._failpoint.during(step.number, action, is_undo=is_undo):
            yield

    def _write(
        self, deployment: Deployment, step: Step, state: StepState, detail: str = ""
    ) -> None:
        self._outside.store.write_journal(
            deployment.id, step.number, state, fence=self._lease.fence, detail=detail
        )

    def _change(
        self, deployment: Deployment, old: DeploymentState, new: DeploymentState, error: str = ""
    ) -> DeploymentState:
        self._outside.store.change_state(
            deployment.id, old, new, fence=self._lease.fence, error=error
        )
        return new

    def _state(self, deployment: Deployment) -> DeploymentState:
        current = self._outside.store.deployment(deployment.id)
        return current.state if current else deployment.state


def _current_task() -> "asyncio.Task[object]":
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - only coroutines ask
    return task


def _known(step: Step, error: Exception) -> BerthmasterError:
    """The error, or the bug that it is: that is reversed like any failure, and told by its type
    alone, because its text may hold a value.
    """
    if isinstance(error, BerthmasterError):
        return error
    return Bug(f"{step.subject}: {step.what} ended with {type(error).__name__}")


def _what_serves(deployment: Deployment) -> str:
    is_release = deployment.verb in {*RELEASING, "rollback"}
    is_release = is_release and deployment.release is not None
    return f" Release r{deployment.release} serves." if is_release else ""


def phases(steps: tuple[Step, ...]) -> list[tuple[Step, ...]]:
    """Group neighbours that need the same earlier steps: they may run side by side."""
    return [tuple(group) for _, group in groupby(steps, key=lambda step: step.needs)]


def succeeded_steps(rows: tuple[JournalRow, ...]) -> set[int]:
    """Steps whose last word in the journal is that they succeeded."""
    last = {row.step: row.state for row in rows}
    return {step for step, state in last.items() if state is StepState.SUCCEEDED}


def is_past_no_return(deployment: Deployment, rows: tuple[JournalRow, ...]) -> bool:
    """Whether it goes only forward from here; the state says so before the first step after it."""
    if deployment.state is _S.RETIRING:
        return True
    if deployment.state is _S.STUCK and all(row.state not in _UNDOING for row in rows):
        return True
    forward = {step.number for step in deployment.plan.steps if step.is_forward_only}
    return any(row.step in forward for row in rows)


def is_passing(error: BerthmasterError) -> bool:
    """Whether it may go away by itself, so that no person is needed: an engine that restarts."""
    return isinstance(error, OutsideError) and error.retryable


def _left_for_later(message: str, step: Step) -> OutsideError:
    return OutsideError(message, subject=step.subject, retryable=True, next_command="berth tick")


def is_ended(deployment: Deployment) -> bool:
    """Whether nothing is left to do."""
    return deployment.state in TERMINAL


def report_of(error: BerthmasterError) -> str:
    """The long form of an error, for the record."""
    if isinstance(error, ReleaseRefused | JobFailed):
        return error.report()
    return error.message


def limit_seconds(action: Action) -> float:
    """How long an effect may take before it counts as failed; its own limit plus a margin."""
    match action:
        case AwaitReady() | Drain() | DrainProxy() | StopProxy():
            return action.timeout_seconds + 30.0
        case StopContainers() | RemoveContainers():  # older engines take one after the other
            return len(action.containers) * action.timeout_seconds + 30.0
        case RemoveJob():
            return action.timeout_seconds + 60.0
        case StartContainers():  # a stop that is under way comes first
            return len(action.containers) * action.stop_seconds + STEP_SECONDS
        case RunJob():  # the margin covers stopping it and looking at what it did
            return action.timeout_seconds + 150.0
        case Watch():
            return action.seconds + 60.0
        case StartProxy():
            return action.stop_seconds + action.timeout_seconds + 30.0
        case PullImage() | TakeRestorePoint() | RestoreDatabase():
            return PULL_SECONDS
        case _:
            return STEP_SECONDS
