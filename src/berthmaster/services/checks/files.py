"""Checks of the files: they render, nothing is left open, the policy agrees, roles are known."""

from dataclasses import replace

from berthmaster.domain import checks
from berthmaster.domain.check import Check
from berthmaster.services.checks.facts import CheckFacts
from berthmaster.services.render_model import compose_inputs


async def check_files(facts: CheckFacts) -> list[Check]:
    """Say what was rendered; files that cannot be are told by whoever tried."""
    names = ", ".join(facts.environment.compose)
    services = len(facts.rendering.model["services"])
    return [checks.FILES.ok(f"{names}: {services} services")]


async def check_variables(facts: CheckFacts) -> list[Check]:
    """Name every variable without value and default."""
    inputs = compose_inputs(facts.spec, facts.environment, facts.request)
    wanted = await facts.outside.compose.variables(inputs)
    given = facts.outside.specs.env_values(facts.request.folder, inputs.env_files)
    known = {*given, *inputs.variables}
    missing = [name for name, default in wanted.items() if default is None and name not in known]
    if facts.rendering_or_none is not None or not missing:  # an alternative or an empty default
        return [checks.VARIABLES.ok(f"{len(wanted)} variables, all with a value or a default")]
    files = ", ".join(inputs.env_files) or f".env.{facts.environment.name}"
    evidence = f"without a value: {', '.join(missing)}"
    return [checks.VARIABLES.failed(evidence, f"write them into {files}, or give a default")]


async def check_policy(facts: CheckFacts) -> list[Check]:
    """Every violation by its rule; those that berth.yaml allows are told with the reason."""
    found = []
    for item in facts.rendering.violations:
        what = f"{item.service}: {item.evidence}" if item.service else item.evidence
        answer = checks.POLICY.failed(what, item.remedy)
        if item.is_allowed_by is not None:
            answer = checks.overridden(answer, item.is_allowed_by.why)
        found.append(replace(answer, id=f"{checks.POLICY.id}.{item.rule}"))
    return found or [checks.POLICY.ok("nothing that the policy refuses")]


async def check_roles(facts: CheckFacts) -> list[Check]:
    """Each service with its role; a guess is refused where the environment is strict."""
    found = []
    for item in facts.rendering.decisions:
        evidence = f"{item.service} is {item.role}: {item.reason}"
        if not item.is_ambiguous:
            found.append(checks.ROLE.ok(evidence))
            continue
        remedy = f"write services.{item.service}.role: {item.role} in berth.yaml"
        if facts.environment.is_strict:
            found.append(checks.ROLE.failed(f"{evidence} (a guess)", remedy))
        else:
            found.append(checks.ROLE.note(f"{evidence} (a guess)", remedy))
    return found
