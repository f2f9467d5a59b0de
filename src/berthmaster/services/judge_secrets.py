"""Everything that is wrong with the values of an environment: the rules, asked of what is there.

Findings name values and places, never a value.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from berthmaster.domain.errors import BerthmasterError
from berthmaster.domain.secret import SecretKind
from berthmaster.planner import composemodel as compose
from berthmaster.planner import secretrules as rules
from berthmaster.planner.secretformats import format_problem
from berthmaster.planner.secretkinds import is_secret_name
from berthmaster.planner.secretrules import Finding, Held
from berthmaster.planner.secretstrength import is_placeholder
from berthmaster.ports.outside import Outside
from berthmaster.services.read_secrets import Inventory, read_secrets

SOON: Final = timedelta(days=30)  # before a certificate ends
_HOLDS_ONE: Final = re.compile(r"(?:PASS|PASSWORD|PASSWD|PWD|SECRET|TOKEN|_KEY)\Z", re.IGNORECASE)


def judge_secrets(outside: Outside, inventory: Inventory) -> list[Finding]:
    """Ask every rule that looks at one environment."""
    found = [finding for held in inventory.held for finding in rules.judge(held, inventory.scene)]
    folder = outside.secret_files.look(Path(inventory.spec.folder) / inventory.folder)
    if folder is not None:
        found += rules.judge_folder(folder, inventory.folder, inventory.scene)
    for name, env_file in inventory.twice:
        found += rules.judge_twice([name], inventory.folder, env_file)
    for held in inventory.held:
        found += _judge_end(outside, held, inventory)
    return list(dict.fromkeys(found))  # an env file with ten secrets is open once


def judge_shared(outside: Outside, inventory: Inventory) -> list[Finding]:
    """Values that another environment of the app has too; raises `OutsideError` without a key."""
    marks = {inventory.environment.name: marks_of(outside, inventory)}
    for name in inventory.spec.environments:
        if name in marks:
            continue
        try:
            other = read_secrets(outside, Path(inventory.spec.folder), name)
        except BerthmasterError:
            continue  # that environment's own check says what is wrong with it
        marks[name] = marks_of(outside, other)
    allowed = {name: item.shared for name, item in inventory.spec.secrets.items() if item.shared}
    return list(rules.judge_shared(inventory.environment.name, marks, allowed))


def marks_of(outside: Outside, inventory: Inventory) -> dict[str, str]:
    """A keyed hash of each secret that has a value, by name."""
    return {
        held.name: outside.vault.mark(held.value.strip())
        for held in inventory.held
        if held.wanted.is_secret and held.value and held.value.strip()
    }


def judge_config(inventory: Inventory, model: Mapping[str, Any]) -> Iterator[Finding]:
    """The rules of `config` in berth.yaml, over what services and Compose files get."""
    given = {
        held.name: held.value.decode(errors="replace") for held in inventory.held if held.value
    }
    for service in compose.services_of(model).values():
        given |= {key: value or "" for key, value in compose.environment_of(service).items()}
    env_file = f".env.{inventory.environment.name}"
    for name in inventory.spec.config.required:
        if not given.get(name, "").strip():
            yield Finding(
                "missing",
                name,
                "has no value; config.required of berth.yaml asks for it",
                f"write {name}=... into {env_file}, or into a service's environment",
            )
    for name, wanted in sorted(inventory.spec.config.formats.items()):
        text = given.get(name, "").strip()
        is_production = inventory.scene.is_production
        if text and (problem := format_problem(wanted, text, is_production=is_production)):
            yield Finding("format", name, problem, f"mend {name} in {env_file}")


def judge_literals(inventory: Inventory, model: Mapping[str, Any]) -> Iterator[Finding]:
    """Placeholders that a Compose file or an env_file hands to a service as they are."""
    if not inventory.scene.is_strict:
        return
    judged = {held.value.decode(errors="replace") for held in inventory.held if held.value}
    if inventory.environment.rehearsal is not None:  # what a copy is told on purpose
        judged |= set(inventory.environment.rehearsal.env.values())
    for service, item in sorted(compose.services_of(model).items()):
        for name, value in sorted(compose.environment_of(item).items()):
            if not value or value in judged or not _holds_secret(name):
                continue
            if is_placeholder(value, name):
                what = f"{service}: its value in the Compose files or an env_file is a placeholder"
                remedy = f"write ${{{name}}} there, then berth secrets init"
                yield Finding("placeholder", name, what, f"{remedy} {inventory.environment.name}")


def _holds_secret(name: str) -> bool:
    return is_secret_name(name) and _HOLDS_ONE.search(name) is not None


def _judge_end(outside: Outside, held: Held, inventory: Inventory) -> Iterator[Finding]:
    """Certificates that ended, or end soon."""
    if held.wanted.kind is not SecretKind.CERTIFICATE or held.wanted.made_with or not held.value:
        return
    end = outside.secret_files.ends_at(held.value)
    if end is None:
        return
    left = end - outside.clock.now()
    remedy = f"berth secrets rotate {inventory.environment.name} {held.name}"
    if left <= timedelta(0):
        yield Finding("expired", held.name, f"{held.source}: ended on {end:%Y-%m-%d}", remedy)
    elif left < SOON:
        yield Finding("expiring", held.name, f"{held.source}: ends on {end:%Y-%m-%d}", remedy)
