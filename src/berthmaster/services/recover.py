"""What was killed is finished or reversed: `berth continue`, `berth unwind`, and every next
command.
"""

from berthmaster.domain.deployment import RELEASING, Deployment, DeploymentState
from berthmaster.domain.errors import (
    BerthmasterError,
    Interrupted,
    LeaseHeld,
    NotAllowed,
    NotFound,
    UserError,
)
from berthmaster.domain.plan import RecordStates
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.engine.executor import Executor, is_ended, is_past_no_return
from berthmaster.engine.failpoints import failpoint_from_environment
from berthmaster.engine.lease import hold
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.services.adopt import forget_refused
from berthmaster.services.carry_out import say_what_serves
from berthmaster.services.change_state import discard_record, give_reservations_back
from berthmaster.services.deploy import give_back, give_slots_back
from berthmaster.services.judge import note_verified
from berthmaster.services.tenants.note import note_end
from berthmaster.services.trouble import Troubles


async def continue_deployment(outside: Outside, number: int, progress: Progress) -> Deployment:
    """Carry an unfinished deployment forward; one that was unwinding goes on unwinding."""
    deployment = _unfinished(outside, number)
    async with hold(
        outside.store, str(deployment.stack), what=f"berth continue d{number}"
    ) as lease:
        executor = Executor(outside, lease, progress, failpoint_from_environment())
        deployment = _unfinished(outside, number)
        if deployment.state is DeploymentState.UNWINDING or _is_stuck_undoing(outside, deployment):
            await executor.unwind(deployment)
            return _settled(outside, deployment)
        await _run(outside, executor, deployment)
        note_end(outside, deployment)
        note_verified(outside, deployment)
        _give_back_of_state(outside, deployment)
    return _read(outside, number)


async def _run(outside: Outside, executor: Executor, deployment: Deployment) -> None:
    """Forward to its end; one that is refused now has been unwound, and is settled."""
    try:
        await executor.run(deployment)
    except LeaseHeld:
        raise
    except BerthmasterError as error:
        if is_ended(_read(outside, deployment.id)):
            _settle(outside, deployment)
        if not isinstance(error, Interrupted):
            say_what_serves(outside, error, deployment)
        raise


async def unwind_deployment(outside: Outside, number: int, progress: Progress) -> Deployment:
    """Reverse an unfinished deployment; refused past its point of no return."""
    deployment = _unfinished(outside, number)
    async with hold(outside.store, str(deployment.stack), what=f"berth unwind d{number}") as lease:
        deployment = _unfinished(outside, number)
        if is_past_no_return(deployment, outside.store.journal(number)):
            raise NotAllowed(
                f"d{number} is past its point of no return: the new release serves",
                next_command=f"berth continue d{number}, then berth rollback {deployment.stack}",
            )
        executor = Executor(outside, lease, progress, failpoint_from_environment())
        await executor.unwind(deployment, "unwound on request")
        return _settled(outside, deployment)


async def recover_abandoned(
    outside: Outside, progress: Progress, troubles: Troubles | None = None
) -> tuple[str, ...]:
    """Finish or reverse every deployment whose process is gone; says what it did.

    Stuck ones wait for a person. One that somebody works on is left alone: its lease says so. One
    that cannot be recovered now goes to `troubles`, or is raised after the others.
    """
    noted, told = troubles or Troubles(), list[str]()
    for deployment in outside.store.unfinished():
        with noted.noted():
            if line := await _recover(outside, deployment.id, progress):
                told.append(f"{deployment.stack}: {deployment.label} had been killed; it is {line}")
    if troubles is None:
        noted.raise_first(told, progress)
    return tuple(told)


async def _recover(outside: Outside, number: int, progress: Progress) -> str:
    """What was done, in a word; nothing for one that has ended, or waits for a person, by now."""
    deployment = outside.store.deployment(number)
    if deployment is None or is_ended(deployment) or deployment.state is DeploymentState.STUCK:
        return ""
    is_forward = is_past_no_return(deployment, outside.store.journal(number))
    work = continue_deployment if is_forward else unwind_deployment
    try:
        await work(outside, number, progress)
    except UserError:  # it may have ended, or moved on, before its lease was ours
        found = outside.store.deployment(number)
        if found is None or found.state is not deployment.state:
            return ""
        raise
    return "finished" if is_forward else "reversed"


def _is_stuck_undoing(outside: Outside, deployment: Deployment) -> bool:
    rows = outside.store.journal(deployment.id)
    is_stuck = deployment.state is DeploymentState.STUCK
    return is_stuck and not is_past_no_return(deployment, rows)


def _settled(outside: Outside, deployment: Deployment) -> Deployment:
    """As it ended; read before what it was about is tidied away."""
    ended = _read(outside, deployment.id)
    _settle(outside, deployment)
    return ended


def _settle(outside: Outside, deployment: Deployment) -> None:
    """Mark the release that was not taken and give its reservations back."""
    for number in _state_records(deployment):
        discard_record(outside, deployment.stack, number)
    _give_back_of_state(outside, deployment)
    if deployment.verb == "adopt":
        forget_refused(outside, deployment.stack)
    if deployment.verb == "rollback" and deployment.release is not None:
        give_slots_back(outside, deployment.stack, deployment.release)
    if deployment.verb not in RELEASING or deployment.release is None:
        return
    release = outside.store.release(deployment.stack, deployment.release)
    if release is not None and release.state is ReleaseState.PREPARED:
        outside.store.set_release_state(deployment.stack, release.number, ReleaseState.FAILED)
        give_back(outside, deployment.stack, release.number)


def _give_back_of_state(outside: Outside, deployment: Deployment) -> None:
    """What the killed command had reserved to render its record; containers stay where they are."""
    for number in _state_records(deployment):
        give_reservations_back(outside, deployment.stack, number)


def _state_records(deployment: Deployment) -> list[int]:
    if deployment.verb != "state":
        return []
    actions = (step.action for step in deployment.plan.steps)
    return [action.release for action in actions if isinstance(action, RecordStates)]


def _unfinished(outside: Outside, number: int) -> Deployment:
    deployment = _read(outside, number)
    if is_ended(deployment):
        raise NotAllowed(
            f"d{number} has ended: {deployment.state}", next_command=f"berth show d{number}"
        )
    return deployment


def _read(outside: Outside, number: int) -> Deployment:
    deployment = outside.store.deployment(number)
    if deployment is None:
        raise NotFound(f"there is no deployment d{number}", next_command="berth show")
    return deployment
