"""Checks of the files: they render, are committed, the policy agrees, roles are known."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from berthmaster.domain import checks
from berthmaster.domain.check import Check
from berthmaster.planner import composemodel as compose
from berthmaster.planner.versionrules import find_own_versions
from berthmaster.services.checks.facts import CheckFacts
from berthmaster.services.render_model import compose_inputs

SHOWN_FILES: Final = 5


async def check_files(facts: CheckFacts) -> list[Check]:
    """Say what was rendered; files that cannot be are told by whoever tried."""
    names = ", ".join(facts.environment.compose)
    services = len(facts.rendering.model["services"])
    return [checks.FILES.ok(f"{names}: {services} services")]


async def check_variables(facts: CheckFacts) -> list[Check]:
    """Name every variable without value and default."""
    secrets = facts.outside.specs.secret_variables(facts.spec, facts.environment.name)
    inputs = compose_inputs(facts.spec, facts.environment, facts.request, secrets)
    wanted = await facts.outside.compose.variables(inputs)
    given = facts.outside.specs.env_values(facts.request.folder, inputs.env_files)
    known = {*given, *inputs.variables}
    missing = [name for name, default in wanted.items() if default is None and name not in known]
    if facts.rendering_or_none is not None or not missing:  # an alternative or an empty default
        return [checks.VARIABLES.ok(f"{len(wanted)} variables, all with a value or a default")]
    evidence = f"without a value: {', '.join(missing)}"
    file = inputs.env_files[-1] if inputs.env_files else f".env.{facts.environment.name}"
    remedy = f"write them into {file}, or give a default"
    if facts.spec.release_variable in missing:
        remedy = f"give {facts.spec.release_variable} with --tag; {remedy}"
    return [checks.VARIABLES.failed(evidence, remedy)]


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


async def check_tracked(facts: CheckFacts) -> list[Check]:
    """What is deployed is what was committed."""
    found = await asyncio.to_thread(facts.outside.specs.checkout, facts.spec)
    if found is None:
        return [checks.TRACKED.note("the folder is in no git repository: nobody can tell what ran")]
    if found.problem:
        return [checks.TRACKED.unknown(f"git cannot tell: {found.problem}")]
    answers = []
    if found.changed:
        evidence = f"changed since the last commit: {_some(found.changed)}"
        answers.append(checks.TRACKED.failed(evidence, "git commit"))
    if found.untracked:
        evidence = f"in no commit: {_some(found.untracked)}"
        answers.append(checks.TRACKED.failed(evidence, "git add, git commit"))
    return answers or [checks.TRACKED.ok("every file that a deploy reads is as committed")]


async def check_versions(facts: CheckFacts) -> list[Check]:
    """Versions of other people's images come from the one catalogue."""
    specs, spec, name = facts.outside.specs, facts.spec, facts.environment.name
    catalogue = specs.version_catalogue(spec, name)
    if catalogue is None:
        return [checks.VERSIONS.ok("the app has no versions.env")]
    services = compose.services_of(facts.rendering.model)
    rendered = {
        key: str(item["image"])
        for key, item in services.items()
        if item.get("image") and key not in facts.request.images
    }
    found = find_own_versions(catalogue, specs.written_images(spec, name), rendered)
    answers = [
        checks.VERSIONS.failed(f"{one.service}: {one.evidence}", one.remedy) for one in found
    ]
    good = f"every image that {catalogue.path} manages has its version from there"
    return answers or [checks.VERSIONS.ok(good)]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
    return ", ".join(names[:SHOWN_FILES]) + more
