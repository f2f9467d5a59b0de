"""Runs one job of a release to its end, and stops it when the release that serves cannot go on.

What is said of a job that harmed its neighbour tells whether the harm passed with it: a lock does,
a committed change does not. Puts no data back; that is asked for by name.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from berthmaster.domain.errors import DeploymentFailed, OutsideError
from berthmaster.domain.names import shown
from berthmaster.domain.plan import RunJob
from berthmaster.domain.release import Release
from berthmaster.domain.report import Evidence, ReleaseRefused
from berthmaster.domain.spec import Role
from berthmaster.engine.beside import Bad, Neighbour
from berthmaster.engine.masking import mask_of
from berthmaster.planner.diagnosis import diagnose
from berthmaster.ports.outside import Outside

LOG_LINES: Final = 20
STOP_SECONDS: Final = 10.0
RECOVERY_LOOKS: Final = 7  # after its end: a pool of connections takes a moment to come back


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The release a job belongs to, the one that serves beside it, and what starts the job."""

    release: Release
    beside: Release | None
    start: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Harm:
    """What became of the job, what the release beside it answered, and whether that stayed so."""

    how: str
    bad: Bad
    is_lasting: bool


class JobFailed(DeploymentFailed):
    """A job of the new release did not end well."""

    def __init__(self, job: str, what: str, log: tuple[str, ...]) -> None:
        log = tuple(shown(line) for line in log)
        last = log[-1] if log else "it printed nothing"
        super().__init__(f"job {job} {what}: {last}")
        self.log = log

    def report(self) -> str:
        """What happened and the job's last lines."""
        return "\n".join([self.message, *(f"  log        {line}" for line in self.log)])


async def run(outside: Outside, job: RunJob, around: Surroundings) -> str:
    """Run it unless it ran; returns what was found, in words.

    Raises `JobFailed` when it does not end with 0, `ReleaseRefused` when it locked out the release
    beside it.
    """
    neighbour = Neighbour(outside, around.beside)
    found = await outside.runtime.container(job.container)
    if found is None or found.state == "created":
        await neighbour.heed_only_good()
        await around.start()
    code, bad = await _until_end_or_bad(outside, job, neighbour)
    if bad is not None or code is None:
        await end(outside, around.release, job.container, STOP_SECONDS)
    how = f"did not end in {job.timeout_seconds:.0f} s" if code is None else _ended(code)
    if bad is not None:
        how = "was stopped"
    bad = bad or await neighbour.stays_bad()  # what it committed shows when it has ended
    if bad is not None:
        is_lasting = await neighbour.stays_bad(RECOVERY_LOOKS) is not None
        raise await _locked_out(outside, job, around, _Harm(how, bad, is_lasting))
    if code == 0:
        return "exit code 0"
    raise JobFailed(job.job, how, await _printed(outside, job, around.release))


async def _until_end_or_bad(
    outside: Outside, job: RunJob, neighbour: Neighbour
) -> tuple[int | None, Bad | None]:
    """Its exit code (None: it did not end in time), or what its neighbour answered."""
    ending = asyncio.ensure_future(outside.runtime.await_exit(job.container, job.timeout_seconds))
    watching = asyncio.ensure_future(neighbour.until_bad())
    try:
        await asyncio.wait({ending, watching}, return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            return ending.result(), None
        return None, watching.result()
    finally:
        for task in (ending, watching):
            task.cancel()
        await asyncio.gather(ending, watching, return_exceptions=True)


async def end(outside: Outside, release: Release, name: str, timeout_seconds: float) -> None:
    """Stop it and end its sessions: a database goes on with a statement whose client is gone."""
    container = await outside.runtime.container(name)
    if container is None or not container.is_running:
        return
    addresses = tuple(container.addresses.values())
    await outside.runtime.stop(name, timeout_seconds)
    for service in release.with_role(Role.STATE):
        if service.is_dumpable and addresses:
            # What cannot be told stays locked, and the looks that follow say so.
            with contextlib.suppress(OutsideError):
                await outside.databases.end_sessions(service.containers[0], addresses)


async def _printed(outside: Outside, job: RunJob, release: Release) -> tuple[str, ...]:
    log = await outside.runtime.logs(job.container, lines=LOG_LINES)
    return tuple(mask_of(outside, release).apply(log).splitlines())


async def _locked_out(
    outside: Outside, job: RunJob, around: Surroundings, harm: _Harm
) -> ReleaseRefused:
    container = await outside.runtime.container(job.container)
    probe, answer = harm.bad.probe, harm.bad.answer
    old = around.beside.label if around.beside else ""
    facts = Evidence(
        service=f"job {job.job}",
        container=job.container,
        what=f"{harm.how}: {old} did not answer well beside it",
        state=container.state if container else "missing",
        exit_code=container.exit_code if container else None,
        probe=probe.describe(),
        answer=answer.describe(),
        status=answer.status,
        log=await _printed(outside, job, around.release),
        locked_out=old,
        is_lasting=harm.is_lasting,
        restore_command=_restore_command(job, old) if harm.is_lasting else "",
    )
    refused = ReleaseRefused(facts, diagnose(facts))
    refused.next_command = facts.restore_command or None
    return refused


def _restore_command(job: RunJob, old: str) -> str:
    if not job.points:
        return ""
    return f"berth rollback {job.stack} --to {old} --restore-point {job.points[0]}"


def _ended(code: int) -> str:
    return f"ended with exit code {code}"
