"""Checks of secrets and configuration: set, strong, for their owner alone, of one environment.

The rules are in `planner/secretrules.py`; here each finding becomes an answer of its own kind.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from berthmaster.domain import checks
from berthmaster.domain.check import Check, CheckKind
from berthmaster.domain.errors import OutsideError
from berthmaster.planner.secretrules import Finding
from berthmaster.services.checks.facts import CheckFacts
from berthmaster.services.judge_secrets import (
    judge_config,
    judge_literals,
    judge_secrets,
    judge_shared,
)
from berthmaster.services.open_records import refuse_unreadable
from berthmaster.services.read_secrets import read_secrets

_KINDS: Final[Mapping[str, CheckKind]] = {  # by rule
    "missing": checks.KEYS,
    "placeholder": checks.PLACEHOLDERS,
    "weak": checks.STRENGTH,
    "format": checks.FORMATS,
    "permissions": checks.PERMISSIONS,
    "file": checks.PERMISSIONS,
    "twice": checks.ONE_PLACE,
    "expired": checks.EXPIRY,
    "expiring": checks.EXPIRY,
}
KINDS: Final = tuple(dict.fromkeys(_KINDS.values()))


async def check_secrets(facts: CheckFacts) -> list[Check]:
    """Every rule that looks at this environment alone; a kind without faults is good."""
    inventory = read_secrets(
        facts.outside, facts.request.folder, facts.environment.name, facts.environment.tenant
    )
    found = judge_secrets(facts.outside, inventory)
    if facts.rendering_or_none is not None:
        found += judge_config(inventory, facts.rendering.model)
        found += judge_literals(inventory, facts.rendering.model)
    count = sum(held.wanted.is_secret for held in inventory.held)
    answers = [answer for kind in KINDS for answer in _answers(kind, found)]
    failed = {answer.id for answer in answers}
    good = {checks.KEYS: f"{count} secrets, all set"}
    return answers + [
        kind.ok(good.get(kind, f"{count} secrets looked at"))
        for kind in KINDS
        if kind.id not in failed
    ]


async def check_shared(facts: CheckFacts) -> list[Check]:
    """Whether a value of another environment is used here; compared by keyed hashes."""
    inventory = read_secrets(
        facts.outside, facts.request.folder, facts.environment.name, facts.environment.tenant
    )
    found = judge_shared(facts.outside, inventory)
    answers = [checks.SHARED.failed(f"{item.name} {item.evidence}", item.remedy) for item in found]
    return answers or [checks.SHARED.ok("no value is another environment's too")]


async def check_vault(facts: CheckFacts) -> list[Check]:
    """Whether the key opens what is recorded; the key is looked at and not made."""
    try:
        refuse_unreadable(facts.outside, facts.stack)
    except OutsideError as error:
        return [checks.VAULT.failed(error.message, error.next_command or "")]
    return [checks.VAULT.ok("the key opens the records, or there is none yet")]


def _answers(kind: CheckKind, found: Iterable[Finding]) -> list[Check]:
    answers = []
    for item in found:
        if _KINDS.get(item.rule) is not kind:
            continue
        evidence = f"{item.name}: {item.evidence}"
        if item.rule == "expiring":
            answers.append(kind.note(evidence, item.remedy))
        else:
            answers.append(kind.failed(evidence, item.remedy))
    return answers
