"""What a deploy asks of the configuration before it changes anything."""

from berthmaster.domain.check import Check, Severity
from berthmaster.domain.errors import NotAllowed, OutsideError
from berthmaster.ports.outside import Outside
from berthmaster.services.checks.asking import ask
from berthmaster.services.checks.facts import CheckFacts
from berthmaster.services.checks.register import CHECKERS
from berthmaster.services.render_model import ReleaseRequest, Rendering


async def refuse_bad_configuration(
    outside: Outside, request: ReleaseRequest, rendering: Rendering
) -> tuple[str, ...]:
    """Ask the checks that cost little; returns what berth.yaml overrides, for the record.

    Raises `NotAllowed` with everything that must be changed, `OutsideError` when only outside
    things failed.
    """
    facts = CheckFacts(outside, request, rendering.spec, rendering)
    found = await ask(facts, (item for item in CHECKERS if item.in_deploy))
    asked = {kind.id for item in CHECKERS for kind in item.kinds if kind.is_asked_by_deploy}
    found = [item for item in found if item.id.partition(".")[0] in asked]
    bad = [item for item in found if item.is_bad]
    if bad:
        raise _refusal(bad, request)
    overridden = (item for item in found if item.severity is Severity.OVERRIDDEN)
    return tuple(f"{item.id}: {item.evidence}: {item.why}" for item in overridden)


def _refusal(bad: list[Check], request: ReleaseRequest) -> NotAllowed | OutsideError:
    lines = [f"  {item.evidence} [{item.id}]. {item.remedy}".rstrip(". ") for item in bad]
    message = "the checks refuse this:\n" + "\n".join(lines)
    following = f"berth check {request.stack}"
    if all(item.severity is Severity.OUTSIDE for item in bad):
        return OutsideError(message, subject=bad[0].id, next_command=following)
    return NotAllowed(message, next_command=following)
