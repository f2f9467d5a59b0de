"""Compares state services as they run with what the files say now; reads only (D9).

A value is compared by its hash and never told.
"""

import hashlib

from berthmaster.domain.release import STATE_FILES, Release
from berthmaster.domain.sealed import SealedValues
from berthmaster.domain.spec import Role
from berthmaster.planner.logins import PASSWORD, login_file, logins_of
from berthmaster.planner.observed import Observed
from berthmaster.planner.statediff import StateDefinition, definition_of, differences
from berthmaster.ports.outside import Outside


def state_notes(outside: Outside, release: Release, observed: Observed) -> tuple[str, ...]:
    """For a deploy's plan: each state service that the files define differently than it runs."""
    notes = []
    for service in release.with_role(Role.STATE):
        changed = state_differences(outside, release, service.name, observed)
        if changed:
            notes.append(
                f"{service.name}: differs from what runs ({'; '.join(changed)}): "
                f"`berth deploy {release.stack} --state {service.name}` applies it"
            )
    ours = {item.name for item in release.services}
    for name, record in sorted(observed.applied.items()):
        containers = _containers(record, name)
        if name not in ours and observed.containers.intersection(containers):
            notes.append(f"{name}: is no longer in the files; it stays as it is, data and all")
    return tuple(notes)


def state_differences(
    outside: Outside, release: Release, name: str, observed: Observed
) -> tuple[str, ...]:
    """What of a state service's definition is not as it was applied last, in words."""
    old = observed.applied.get(name)
    if old is None:
        return ()
    before, after = state_definition(outside, old, name), state_definition(outside, release, name)
    return differences(before, after) if before and after else ()


def state_definition(outside: Outside, release: Release, name: str) -> StateDefinition | None:
    """A state service's definition in a record, secrets as hashes; None when it is not in it."""
    sealed = SealedValues.from_bytes(outside.vault.open(release.sealed))
    values = dict(sealed.environment.get(name, {}))
    hashes = {target: _hash(content) for target, content in sealed.secrets.items()}
    if name in logins_of(release, sealed):
        # The password follows the release that serves (`SetPassword`): no other definition.
        values.pop(PASSWORD, None)
        hashes[login_file(release, sealed, name) or ""] = ""
    project = release.stack.project
    return definition_of(
        release,
        name,
        environment={key: _hash(value.encode()) for key, value in values.items()},
        secrets=hashes,
        folders=tuple(
            str(outside.files.release_folder(project, number))
            for number in (STATE_FILES, release.number)
        ),
    )


def _containers(release: Release, name: str) -> tuple[str, ...]:
    return next((item.containers for item in release.services if item.name == name), ())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
