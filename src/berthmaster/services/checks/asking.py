"""Asks the checkers, all at once and each within its time, and applies the overrides.

Raises nothing for what it finds: a question that fails is an answer too, and never a good one.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from berthmaster.domain import checks
from berthmaster.domain.check import Check, CheckKind, Severity
from berthmaster.domain.errors import BerthmasterError, Bug, ImageNotFound, UserError
from berthmaster.domain.names import StackId
from berthmaster.domain.spec import AppSpec, EnvironmentSpec
from berthmaster.ports.outside import Outside
from berthmaster.services.checks.facts import CheckFacts, Shared
from berthmaster.services.checks.register import CHECKERS, Asked, Needs
from berthmaster.services.render_model import ReleaseRequest, environment_of, render_model
from berthmaster.services.tenant_spec import read_spec

LIMIT_SECONDS: Final = 30.0  # for one checker; those that ask a network have shorter ones inside


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All answers about one environment."""

    stack: StackId
    checks: tuple[Check, ...]
    is_strict: bool = True  # whether it is deployed, rather than developed in

    @property
    def exit_code(self) -> int:
        """2 when something must be changed, 3 when only outside things failed."""
        severities = {item.severity for item in self.checks}
        if Severity.CHANGE in severities:
            return 2
        return 3 if Severity.OUTSIDE in severities else 0


async def check_environment(outside: Outside, request: ReleaseRequest) -> CheckReport:
    """Ask everything that applies to the environment of a stack."""
    return await _check_environment(outside, request, Shared())


async def check_environments(
    outside: Outside, requests: Sequence[ReleaseRequest]
) -> list[CheckReport]:
    """The same for several environments, in their order."""
    shared = Shared()
    asked = (_check_environment(outside, item, shared) for item in requests)
    return list(await asyncio.gather(*asked))


async def ask(facts: CheckFacts, which: Iterable[Asked]) -> list[Check]:
    """The answers of these checkers, with the overrides of the environment."""
    asked = await asyncio.gather(*(_answers(item, facts) for item in which))
    return [answer for answers in asked for answer in answers]


async def _check_environment(
    outside: Outside, request: ReleaseRequest, shared: Shared
) -> CheckReport:
    facts, problem = await _read(outside, request)
    found = await ask(replace(facts, answers=shared), CHECKERS)
    is_strict = facts.spec_or_none is None or facts.environment.is_strict
    return CheckReport(request.stack, (*problem, *found), is_strict)


async def _read(outside: Outside, request: ReleaseRequest) -> tuple[CheckFacts, list[Check]]:
    """Read as much as can be read; the first thing that cannot be is the problem."""
    spec: AppSpec | None = None
    try:
        spec = read_spec(outside, request.folder, request.stack, request.overlay)
        environment_of(spec, request.stack)
    except BerthmasterError as error:
        return CheckFacts(outside, request), [_failure(checks.FILES, error)]
    try:
        rendering = await render_model(outside, request, is_lenient=True)
    except BerthmasterError as error:
        return CheckFacts(outside, request, spec), [_failure(checks.FILES, error)]
    return CheckFacts(outside, request, spec, rendering), []


async def _answers(asked: Asked, facts: CheckFacts) -> list[Check]:
    kinds = [kind for kind in asked.kinds if _applies(kind, facts)]
    if not kinds:
        return []
    if asked.needs > _have(facts):
        read = (
            "berth.yaml cannot be read" if facts.spec_or_none is None else "the files do not render"
        )
        return [kind.unknown(f"not asked: {read}") for kind in kinds if kind is not checks.FILES]
    answers = await _within_its_time(asked, kinds, facts)
    ids = {kind.id for kind in kinds}
    wanted = [item for item in answers if item.id.partition(".")[0] in ids]
    return [_with_override(item, facts) for item in wanted]


async def _within_its_time(asked: Asked, kinds: list[CheckKind], facts: CheckFacts) -> list[Check]:
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            return await asked.checker(facts)
    except TimeoutError:
        return [kind.not_asked(f"no answer within {LIMIT_SECONDS:g} s") for kind in kinds]
    except Bug:
        raise
    except ImageNotFound as error:  # asked and answered: only what needs the image is unknown
        return [_without_image(kind, error) for kind in kinds]
    except BerthmasterError as error:
        return [_failure(kind, error) for kind in kinds]


def _without_image(kind: CheckKind, error: ImageNotFound) -> Check:
    if kind is checks.IMAGES:
        return kind.failed(error.message, error.next_command or "")
    return kind.unknown(f"not asked: {error.message}")


def _have(facts: CheckFacts) -> Needs:
    if facts.rendering_or_none is not None:
        return Needs.MODEL
    return Needs.NOTHING if facts.spec_or_none is None else Needs.SPEC


def _applies(kind: CheckKind, facts: CheckFacts) -> bool:
    """Without berth.yaml nobody knows how strict the environment is: then as a strict one."""
    there = facts.environment if facts.spec_or_none is not None else None
    is_strict = there.is_strict if there is not None else True
    return kind.applies(facts.stack.environment, is_strict=is_strict)


def _with_override(answer: Check, facts: CheckFacts) -> Check:
    there: EnvironmentSpec | None = facts.environment if facts.spec_or_none is not None else None
    if there is None or not answer.is_bad:
        return answer
    for item in there.overrides:
        if item.check == answer.id:
            return checks.overridden(answer, item.why)
    return answer


def _failure(kind: CheckKind, error: BerthmasterError) -> Check:
    if isinstance(error, UserError):
        severity = Severity.CHANGE
        return Check(kind.id, severity, error.message, error.next_command or kind.remedy)
    return kind.not_asked(error.message, error.next_command or "")
