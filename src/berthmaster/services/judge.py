"""`berth hold`, `unhold`, `reject`, `approve`: what a person says of a stack or an artifact.

Only records it; `services/permit.py` heeds it. Each is also a row of the audit trail.
"""

from dataclasses import dataclass
from typing import Final

from berthmaster.domain import judgement as judging
from berthmaster.domain.deployment import RELEASING, Deployment
from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.domain.judgement import Judgement, JudgementKind
from berthmaster.domain.names import StackId
from berthmaster.ports.outside import Outside
from berthmaster.ports.store import Event, ReleaseSummary

FULL: Final = 64  # hexadecimal digits of an artifact
SHORTEST: Final = 6  # that name one


@dataclass(frozen=True, slots=True)
class Named:
    """An artifact that a person named, and a release that runs it, when there is one."""

    artifact: str
    release: ReleaseSummary | None = None

    @property
    def text(self) -> str:
        """How people know it: `3f2a91c0d4e7 (shop@stage r3, v1)`."""
        item = self.release
        tag = f", {item.tag}" if item and item.tag else ""
        where = f" ({item.stack} r{item.number}{tag})" if item else ""
        return f"{self.artifact[:12]}{where}"


def hold_stack(outside: Outside, stack: StackId, why: str) -> None:
    """Hold a stack: nobody deploys or promotes to it without saying why. Raises `NotFound`."""
    _known(outside, stack)
    with outside.store.transaction():
        outside.store.set_hold(stack, why)
        _say(outside, JudgementKind.HELD, stack.app, why, stack=stack)


def release_hold(outside: Outside, stack: StackId, why: str) -> None:
    """Lift a hold; raises `NotAllowed` when the stack is not held."""
    if _known(outside, stack) is None:
        raise NotAllowed(f"{stack} is not held", next_command="berth status")
    with outside.store.transaction():
        outside.store.set_hold(stack, None)
        _say(outside, JudgementKind.UNHELD, stack.app, why, stack=stack)


def reject(outside: Outside, app: str, named: Named, why: str) -> None:
    """Say that nobody may deploy an artifact; what runs it now runs on."""
    _say(outside, JudgementKind.REJECTED, app, why, artifact=named.artifact)


def take_back_rejection(outside: Outside, app: str, named: Named, why: str) -> None:
    """Allow an artifact again; raises `NotAllowed` when it is not rejected."""
    found = outside.store.judgements(app, artifact=named.artifact)
    if judging.rejection(found, named.artifact) is None:
        raise NotAllowed(f"artifact {named.text} is not rejected")
    _say(outside, JudgementKind.UNREJECTED, app, why, artifact=named.artifact)


def approve(outside: Outside, stack: StackId, named: Named, why: str) -> None:
    """Agree that an artifact goes to a stack; raises `NotAllowed` for a rejected one."""
    found = outside.store.judgements(stack.app, artifact=named.artifact)
    rejected = judging.rejection(found, named.artifact)
    if rejected is not None:
        raise NotAllowed(
            f"artifact {named.text} was rejected by {rejected.actor}: {rejected.why}",
            next_command=f"berth releases {stack}",
        )
    _say(outside, JudgementKind.APPROVED, stack.app, why, stack=stack, artifact=named.artifact)


def note_verified(outside: Outside, deployment: Deployment) -> None:
    """Record that a deployment verified its release's artifact: it was watched to the end, and
    every smoke condition held. Other deployments, of rollbacks for example, say nothing new.
    """
    if deployment.verb not in RELEASING or deployment.release is None:
        return
    release = outside.store.release(deployment.stack, deployment.release)
    if release is None:
        return
    count = len(release.smoke)
    outside.store.judge(
        Judgement(
            at=outside.clock.now(),
            actor=deployment.actor,
            kind=JudgementKind.VERIFIED,
            app=deployment.stack.app,
            stack=deployment.stack,
            artifact=release.artifact,
            release=release.number,
            deployment=deployment.id,
            why=smoke_text(count),
        )
    )


def smoke_text(count: int) -> str:
    """What verified it, in words."""
    if count == 0:
        return "no smoke condition is declared: readiness and watch only"
    return f"{count} smoke condition{'s' if count > 1 else ''} held"


def find_artifact(outside: Outside, app: str, text: str, stack: StackId | None = None) -> Named:
    """The artifact that a person means: its digits, `d41`, or `r7` of `stack`; the newest release

    Raises `NotFound`, or `NotAllowed` when the digits begin more than one.
    """
    if stack is not None and text[:1] == "r" and text[1:].isdecimal():
        return _of_release(outside, stack, int(text[1:19]))
    if text[:1] == "d" and text[1:].isdecimal():
        deployment = outside.store.deployment(int(text[1:19]))
        if deployment is None or deployment.release is None or deployment.stack.app != app:
            raise NotFound(
                f"{text} is no deployment of a release of {app}", next_command="berth show"
            )
        return _of_release(outside, deployment.stack, deployment.release)
    return _of_digits(outside, app, text.lower())


def _of_release(outside: Outside, stack: StackId, number: int) -> Named:
    for item in outside.store.releases(stack):
        if item.number == number:
            return Named(item.artifact, item)
    raise NotFound(f"{stack} has no release r{number}", next_command=f"berth releases {stack}")


def _of_digits(outside: Outside, app: str, text: str) -> Named:
    found = {
        item.artifact: item
        for item in reversed(outside.store.releases_in())
        if item.stack.app == app and len(text) >= SHORTEST and item.artifact.startswith(text)
    }
    if len(found) > 1:
        names = ", ".join(sorted(found))
        raise NotAllowed(f"{text} begins more than one artifact: {names}")
    if found:
        return next(Named(artifact, item) for artifact, item in found.items())
    if len(text) == FULL and not set(text) - set("0123456789abcdef"):
        return Named(text)
    raise NotFound(
        f"{app} has no artifact {text!r}: write at least {SHORTEST} of its digits, d41 or r7",
        next_command=f"berth releases {app}@ENV",
    )


def _known(outside: Outside, stack: StackId) -> str | None:
    """Why the stack is held; raises `NotFound` for a stack that is not there."""
    record = outside.store.stack(stack)
    if record is None:
        raise NotFound(f"there is no stack {stack}", next_command="berth status")
    return record.held_because


def _say(
    outside: Outside,
    kind: JudgementKind,
    app: str,
    why: str,
    *,
    stack: StackId | None = None,
    artifact: str | None = None,
) -> None:
    now = outside.clock.now()
    with outside.store.transaction():
        outside.store.judge(Judgement(now, outside.actor, kind, app, stack, artifact, why=why))
        what = f"artifact_{kind}" if artifact else f"stack_{kind}"
        detail = f"{artifact[:12]}: {why}" if artifact else why
        outside.store.record(Event(now, outside.actor, str(stack) if stack else None, what, detail))
