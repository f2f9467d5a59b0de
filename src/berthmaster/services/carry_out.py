"""One way for every plan: lease, validate, record, execute; and what is said when it fails."""

import contextlib
from dataclasses import dataclass

from berthmaster.domain.deployment import Deployment, DeploymentState
from berthmaster.domain.errors import (
    BerthmasterError,
    Interrupted,
    LeaseHeld,
    NotAllowed,
    OutsideError,
)
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan
from berthmaster.domain.report import ReleaseRefused
from berthmaster.engine.executor import Executor
from berthmaster.engine.failpoints import failpoint_from_environment
from berthmaster.engine.lease import HeldLease
from berthmaster.planner.validate import check_plan
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.ports.store import Event
from berthmaster.services.domains.tell_apps import tell_apps
from berthmaster.services.judge import note_verified
from berthmaster.services.tenants.note import note_end


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command that changes a stack."""

    stack: StackId
    plan: Plan
    deployment: str | None  # `d41`; None when there was nothing to do
    seconds: float = 0.0
    message: str = ""


async def carry_out(outside: Outside, lease: HeldLease, plan: Plan, progress: Progress) -> Outcome:
    """Record and execute a plan under the stack's lease; raises what refused it, in full
    sentences.
    """
    check_plan(plan)
    if plan.is_empty:
        return Outcome(plan.stack, plan, None, message="nothing to do")
    start = outside.clock.monotonic()
    if plan.verb != "retire":  # housekeeping must not crowd out what a person wants back
        outside.store.keep_snapshot()
    deployment = outside.store.open_deployment(
        plan.stack,
        verb=plan.verb,
        plan=plan,
        release=plan.new,
        actor=outside.actor,
        fence=lease.fence,
    )
    executor = Executor(outside, lease, progress, failpoint_from_environment())
    try:
        await executor.run(deployment)
    except LeaseHeld:
        raise
    except Interrupted as error:
        _record(outside, plan, f"{plan.verb}_interrupted", error.message)
        raise
    except BerthmasterError as error:
        with contextlib.suppress(OutsideError):  # a store that failed must not hide why
            _record(outside, plan, f"{plan.verb}_failed", error.message)
        say_what_serves(outside, error, deployment)
        raise
    _note_success(outside, deployment)
    seconds = outside.clock.monotonic() - start
    with contextlib.suppress(OutsideError):  # what runs is recorded; the next one copies again
        outside.store.keep_snapshot()
    return Outcome(plan.stack, plan, deployment.label, seconds)


def _note_success(outside: Outside, deployment: Deployment) -> None:
    """What follows a change that was made; when that fails, the change is made all the same."""
    plan = deployment.plan
    try:
        note_end(outside, deployment)
        _record(outside, plan, f"{plan.verb}_succeeded", deployment.label)
        note_verified(outside, deployment)
        tell_apps(outside)
    except OutsideError as error:
        serves = "" if plan.new is None else f" and release r{plan.new} serves"
        done = f"{plan.stack}: {deployment.label} ({plan.verb}) is done{serves}"
        raise OutsideError(
            f"{done}; what follows it is not: {error.message}",
            subject=error.subject,
            next_command="berth gateway up",
        ) from error


def refuse_unfinished(outside: Outside, stack: StackId) -> None:
    """Raise `NotAllowed` while an earlier deployment of the stack waits for a person."""
    for deployment in outside.store.unfinished():
        if deployment.stack == stack:
            raise NotAllowed(
                f"{stack}: {deployment.label} ({deployment.verb}) is {deployment.state}",
                next_command=f"berth continue {deployment.label}  (or unwind)",
            )


def say_what_serves(outside: Outside, error: BerthmasterError, deployment: Deployment) -> None:
    """Put what serves now, and the next command, to what refused a change."""
    try:
        record = outside.store.stack(deployment.stack)
        state = getattr(outside.store.deployment(deployment.id), "state", None)
    except OutsideError:
        return
    live = record.live if record else None
    serves = f"release r{live} still serves" if live is not None else "nothing was serving before"
    if isinstance(error, ReleaseRefused) and error.evidence.is_lasting:
        serves = f"release r{live} is live and does not answer well: data was not put back"
    if state is DeploymentState.UNWOUND:
        error.message = f"{deployment.stack}: {error.message}\nThe change was reversed; {serves}."
    elif state in (DeploymentState.APPLYING, DeploymentState.UNWINDING):
        later = "the next command reverses the change"
        error.message = f"{deployment.stack}: {error.message}\nNothing is lost: {later}."
    error.args = (error.message,)
    if error.next_command is None:
        error.next_command = f"berth show {deployment.label}"


def _record(outside: Outside, plan: Plan, what: str, detail: str) -> None:
    release = f"r{plan.new} " if plan.new is not None else ""
    outside.store.record(
        Event(outside.clock.now(), outside.actor, str(plan.stack), what, f"{release}{detail}")
    )
