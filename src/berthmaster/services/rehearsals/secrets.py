"""The secrets of a rehearsal: made for it alone, but for those that berth.yaml says it shares.

Nothing else of production reaches it, whichever way the files hand values on.
"""

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from berthmaster.domain.errors import NotAllowed
from berthmaster.domain.names import StackId
from berthmaster.domain.rehearsal import REHEARSAL
from berthmaster.domain.release import Release
from berthmaster.domain.sealed import SealedValues
from berthmaster.domain.spec import AppSpec
from berthmaster.planner.secretkinds import is_secret_name
from berthmaster.ports.outside import Outside
from berthmaster.services.give_secrets import init_secrets
from berthmaster.services.read_secrets import read_secrets

SHOWN: Final = 12  # settings of a service that are named
_LIVE: Final = re.compile(r"(?:sk|rk)_live_")  # a payment key that moves money


def give_secrets(outside: Outside, folder: Path, copy: StackId, spec: AppSpec) -> int:
    """Copy what is shared and make the rest; returns how many are new. Raises `NotAllowed`."""
    environment = copy.environment
    mine = read_secrets(outside, folder, environment, REHEARSAL)
    theirs = read_secrets(outside, folder, environment)
    count = 0
    for name in spec.rehearsal.secrets:
        own, held = mine.find(name), theirs.find(name)
        if own is not None and not own.value and held is not None and held.value:
            outside.secret_files.write(mine.path_of(name), held.value)
            count += 1
    for name, value in spec.rehearsal.env.items():
        own = mine.find(name)
        if own is not None and not own.wanted.need.is_variable:  # a file: of a double, then
            outside.secret_files.write(mine.path_of(name), value.encode())
    done = init_secrets(outside, folder, environment, REHEARSAL)
    wanted = [item.name for item in done.wanted if item.kind != "configuration"]
    if wanted:
        raise NotAllowed(
            f"{copy} has no {', '.join(wanted)}: nobody but a person can give it, and a rehearsal "
            "shares nothing with production unless berth.yaml says so",
            next_command=f"write rehearsal: {{env: {{{wanted[0]}: ...}}}} or rehearsal: "
            f"{{secrets: [{wanted[0]}]}} into berth.yaml, or berth secrets set "
            f"{environment}/{REHEARSAL} {wanted[0]}",
        )
    return count + len(done.made)


def refuse_shared(outside: Outside, spec: AppSpec, live: Release, copied: Release) -> None:
    """Raise `NotAllowed` when an app service of the copy would have a secret of production's."""
    theirs = _values(outside, live)
    known = {(name, value) for values in theirs.values() for name, value in values.items()}
    declared = {*spec.rehearsal.secrets, *spec.rehearsal.env}
    found = []
    for service, values in _values(outside, copied).items():
        for name, value in sorted(values.items()):
            is_same = (name, value) in known and name not in declared
            if value and is_same and (_is_secret(name, value) or _LIVE.match(value)):
                found.append(f"{service}: {name}")
    if found:
        names = sorted({line.partition(": ")[2] for line in found})
        raise NotAllowed(
            f"the rehearsal would have secrets of {live.stack}: {', '.join(found)}",
            next_command=f"write rehearsal: {{env: {{{names[0]}: ...}}}} for a value of its own, "
            f"or rehearsal: {{secrets: [{', '.join(names)}]}} for what both may know",
        )


def other_settings(
    outside: Outside, spec: AppSpec, live: Release, copied: Release
) -> tuple[str, ...]:
    """One line for each app service whose variables are not production's, by name."""
    theirs, ours = _values(outside, live), _values(outside, copied)
    lines = []
    for service in copied.services:
        if not service.role.is_app_service or service.name not in theirs:
            continue
        old, new = theirs[service.name], ours.get(service.name, {})
        own = {*spec.rehearsal.env, *spec.rehearsal.secrets}
        names = sorted((old.keys() | new.keys()) - own)
        told = [
            f"{name} {_became(old.get(name), new.get(name))}"
            for name in names
            if old.get(name) != new.get(name) and not is_secret_name(name)
        ]
        if told:
            more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
            lines.append(f"{service.name}: settings: {', '.join(told[:SHOWN])}{more}")
    return tuple(lines)


def _became(old: str | None, new: str | None) -> str:
    if old is None:
        return "is new"
    return "is gone" if new is None else "differs"


def remove_secrets(outside: Outside, folder: Path) -> tuple[str, ...]:
    """Remove all that was made for a copy; returns the names."""
    names = outside.secret_files.names(folder)
    for name in names:
        outside.secret_files.remove(folder / name)
    return names


def _is_secret(name: str, value: str) -> bool:
    return is_secret_name(name) or _has_password(value)


def _has_password(value: str) -> bool:
    try:
        return "://" in value and bool(urlsplit(value).password)
    except ValueError:
        return False


def _values(outside: Outside, release: Release) -> dict[str, dict[str, str]]:
    """By service: what its containers are told."""
    sealed = SealedValues.from_bytes(outside.vault.open(release.sealed))
    names = {key: item.name for item in release.services for key in item.compose_services}
    return {names.get(key, key): dict(values) for key, values in sealed.environment.items()}
