"""Who may move a stack now, and which artifact may get there: hold, freeze, rejection, approval.

Asked by deploy, promote and rollback before anything changes. Raises what forbids it, with who
said so, when, and what to type; records what was done in spite of a hold or a freeze.
"""

from berthmaster.domain import judgement as judging
from berthmaster.domain.errors import NotAllowed
from berthmaster.domain.freeze import FREEZE_FILE, frozen_by
from berthmaster.domain.judgement import Judgement
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.domain.spec import EnvironmentSpec
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import Event
from berthmaster.services.render_model import ReleaseRequest, environment_of
from berthmaster.services.tenant_spec import is_rehearsal, read_spec


def refuse_unmovable(outside: Outside, request: ReleaseRequest) -> None:
    """Raise `NotAllowed` while the stack is held or its environment frozen.

    With a reason in `request.despite` it goes on, and the reason is recorded.
    """
    found = _hold(outside, request.stack) or _freeze(outside, request)
    if found is None:
        return
    what, text, end = found
    if request.despite is None:
        raise NotAllowed(
            f"{request.stack} {text}", next_command=f'{end}, or the same with --despite "WHY"'
        )
    detail = f"{request.despite} (it {text})"
    outside.store.record(
        Event(outside.clock.now(), outside.actor, str(request.stack), f"{what}_overridden", detail)
    )


def hold_note(outside: Outside, stack: StackId) -> str:
    """One sentence about a hold, for what a person may do all the same; empty without one."""
    found = _hold(outside, stack)
    return f"{stack} {found[1]}; a rollback is allowed all the same" if found else ""


def _hold(outside: Outside, stack: StackId) -> tuple[str, str, str] | None:
    record = outside.store.stack(stack)
    if record is None or record.held_because is None:
        return None
    said = judging.hold_on(outside.store.judgements(stack.app), stack)
    by = f" by {said.actor} since {_at(said)}" if said else ""
    return "hold", f"is held{by}: {record.held_because}", f"berth unhold {stack}"


def _freeze(outside: Outside, request: ReleaseRequest) -> tuple[str, str, str] | None:
    windows = outside.specs.freezes(request.folder)
    if not windows:
        return None
    spec = read_spec(outside, request.folder, request.stack, request.overlay)
    there = environment_of(spec, request.stack)
    if there.rehearsal is not None:  # what a freeze protects is production
        return None
    now = outside.clock.now()
    if request.verified is not None and is_rehearsal(outside, request.verified.stack):
        windows = tuple(item for item in windows if not item.is_for_cutover)
    window = frozen_by(windows, there.name, is_strict=there.is_strict, now=now)
    if window is None:
        return None
    end = window.end_after(now)
    until = f" until {end:%Y-%m-%d %H:%M} UTC" if end else ""
    place = f"{FREEZE_FILE}:{window.line}" if window.line else FREEZE_FILE
    return "freeze", f"is frozen{until} ({place}): {window.why}", "wait until it ends"


def refuse_artifact(
    outside: Outside, request: ReleaseRequest, environment: EnvironmentSpec, artifact: str
) -> None:
    """Raise `NotAllowed` for an artifact that may not get to this stack.

    It was rejected, the environment that must verify it did not, or nobody else approved it.
    """
    found = outside.store.judgements(request.stack.app, artifact=artifact)
    refuse_rejected(found, artifact, request.stack)
    if request.verified is not None and request.verified.stack != request.stack:
        refuse_unverified(found, request.verified.stack, artifact, request.stack)
    if environment.verified_in is not None:
        source = _verified_in(found, request.stack, environment.verified_in, artifact)
        refuse_unverified(found, source, artifact, request.stack)
    if environment.needs_approval:
        _refuse_unapproved(outside, found, request.stack, artifact)


def _verified_in(
    found: tuple[Judgement, ...], stack: StackId, environment: str, artifact: str
) -> StackId:
    """The stack of an environment whose word counts: for a tenant, any that verified it."""
    own = StackId(stack.app, environment, stack.tenant)
    if stack.tenant is None or judging.verification(found, own, artifact) is not None:
        return own
    others = {
        item.stack for item in found if item.stack is not None and item.stack.app == stack.app
    }
    near = sorted(item for item in others if item.environment == environment and item != own)
    good = (item for item in near if judging.verification(found, item, artifact) is not None)
    return next(good, StackId(stack.app, environment))


def refuse_rejected(found: tuple[Judgement, ...], artifact: str, stack: StackId) -> None:
    """Raise `NotAllowed` when somebody said that nobody may deploy this artifact."""
    said = judging.rejection(found, artifact)
    if said is not None:
        raise NotAllowed(
            f"artifact {artifact[:12]} was rejected by {said.actor} on {_at(said)}: {said.why}",
            next_command=f"berth releases {stack}  (or berth reject --undo {artifact[:12]})",
        )


def refuse_unverified(
    found: tuple[Judgement, ...], source: StackId, artifact: str, target: StackId
) -> None:
    """Raise `NotAllowed` unless the source verified the artifact and no later look took it back."""
    if judging.verification(found, source, artifact) is not None:
        return
    last = judging.last_look(found, source, artifact)
    if last is not None:
        raise NotAllowed(
            f"{source} verified artifact {artifact[:12]} no longer: {last.why} "
            f"({last.actor}, {_at(last)})",
            next_command=f"berth verify {source}",
        )
    raise NotAllowed(
        f"{target} takes what {source} verified, and it has not verified artifact {artifact[:12]}",
        next_command=f"berth deploy {source}",
    )


def _refuse_unapproved(
    outside: Outside, found: tuple[Judgement, ...], stack: StackId, artifact: str
) -> None:
    actors = {item.actor for item in judging.approvals(found, stack, artifact)}
    if actors - {outside.actor}:
        return
    own = " (your own does not count)" if actors else ""
    raise NotAllowed(
        f"{stack} wants somebody else's approval of artifact {artifact[:12]}{own}",
        next_command=f"berth approve {stack} {artifact}  (by somebody else)",
    )


def refuse_rejected_release(outside: Outside, release: Release) -> None:
    """The same for an older release that is to be run again."""
    found = outside.store.judgements(release.stack.app, artifact=release.artifact)
    refuse_rejected(found, release.artifact, release.stack)


def _at(said: Judgement) -> str:
    return f"{said.at:%Y-%m-%d %H:%M} UTC"
