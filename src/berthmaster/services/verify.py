"""`berth verify`: ask the smoke conditions of what runs again, and record what came of it.

A promotion reads the record: a condition that does not hold takes the verification back.
"""

from dataclasses import dataclass

from berthmaster.domain.errors import NotFound
from berthmaster.domain.judgement import Judgement, JudgementKind
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release
from berthmaster.engine.smoke import Finding, ask_directly, ask_publicly
from berthmaster.ports.outside import Outside
from berthmaster.services.judge import smoke_text


@dataclass(frozen=True, slots=True)
class Verification:
    """Every condition's answers."""

    release: Release
    findings: tuple[Finding, ...]

    @property
    def unmet(self) -> tuple[Finding, ...]:
        """What did not hold."""
        return tuple(item for item in self.findings if item.error)


async def verify(outside: Outside, stack: StackId) -> Verification:
    """Ask the live release all of its conditions; raises `NotFound` when none is live."""
    record = outside.store.stack(stack)
    number = record.live if record else None
    release = outside.store.release(stack, number) if number is not None else None
    if release is None:
        raise NotFound(f"{stack} runs no release", next_command=f"berth deploy {stack}")
    found = Verification(release, await ask_all(outside, release))
    outside.store.judge(_judgement(outside, found))
    return found


async def ask_all(outside: Outside, release: Release) -> tuple[Finding, ...]:
    """Ask a release all of its conditions, at its own address and the public way."""
    findings = []
    for spec in release.smoke:
        asked = (
            await ask_directly(outside, release, spec),
            await ask_publicly(outside, release, spec),
        )
        findings += [item for item in asked if item is not None]
    return tuple(findings)


def _judgement(outside: Outside, found: Verification) -> Judgement:
    release, unmet = found.release, found.unmet
    named = "; ".join(f"{item.condition} {item.way}" for item in unmet)
    return Judgement(
        at=outside.clock.now(),
        actor=outside.actor,
        kind=JudgementKind.UNVERIFIED if unmet else JudgementKind.VERIFIED,
        app=release.stack.app,
        stack=release.stack,
        artifact=release.artifact,
        release=release.number,
        why=f"failed: {named}" if unmet else smoke_text(len(release.smoke)),
    )
