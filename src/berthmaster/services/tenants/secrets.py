"""The secrets of a new tenant: made for it alone; what only a person can give is the app's own.

A value that somebody else issues (a mail password, an API key) is copied from the environment's
folder when the tenant has none: the operator's account serves all of them. Nothing else is shared.
"""

from pathlib import Path

from berthmaster.domain.errors import NotAllowed
from berthmaster.domain.names import StackId
from berthmaster.domain.secret import SecretKind
from berthmaster.ports.outside import Outside
from berthmaster.services.give_secrets import init_secrets
from berthmaster.services.read_secrets import read_secrets


def give_secrets(outside: Outside, folder: Path, stack: StackId) -> int:
    """Make and copy what is missing; returns how many are new. Raises `NotAllowed` for the rest."""
    copied = _copy_given(outside, folder, stack)
    done = init_secrets(outside, folder, stack.environment, stack.tenant)
    if done.wanted:
        names = ", ".join(f"{item.name} ({item.kind})" for item in done.wanted)
        first = done.wanted[0]
        tenant = f"{stack.environment}/{stack.tenant}"
        is_secret = first.kind != "configuration"
        raise NotAllowed(
            f"{stack}: nobody but a person can give {names}",
            next_command=f"berth secrets set {tenant} {first.name}"
            if is_secret
            else f"berth tenant add {tenant} --set {first.name}=VALUE",
        )
    return copied + len(done.made)


def _copy_given(outside: Outside, folder: Path, stack: StackId) -> int:
    mine = read_secrets(outside, folder, stack.environment, stack.tenant)
    everybodys = read_secrets(outside, folder, stack.environment)
    count = 0
    for held in everybodys.held:
        own = mine.find(held.name)
        is_given = held.wanted.kind is SecretKind.GIVEN or held.wanted.spec.shared is not None
        if own is None or own.value or not held.value or not is_given:
            continue
        outside.secret_files.write(mine.path_of(held.name), held.value)
        count += 1
    return count
