"""`berth secrets init` and `set`: how values get to their files; none is written over by chance.

A value goes from where it is made or read straight into its file; no result holds one.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from berthmaster.domain.errors import NotAllowed, NotFound, UserError
from berthmaster.domain.names import check_name
from berthmaster.domain.secret import Recipe, SecretKind
from berthmaster.planner import secretrules as rules
from berthmaster.planner.secretkinds import Wanted, partner_of
from berthmaster.planner.secretrules import Held
from berthmaster.ports.outside import Outside
from berthmaster.services.read_secrets import Inventory, read_secrets


@dataclass(frozen=True, slots=True)
class Given:
    """A value that is there now, or that only a person can give."""

    name: str
    kind: str
    where: str  # file, relative to the app's folder
    is_guessed: bool = False
    location: str = ""  # who asks for it


@dataclass(frozen=True, slots=True)
class Initialised:
    """What `init` made, found, and could not make."""

    environment: str
    made: tuple[Given, ...]
    there: tuple[Given, ...]
    wanted: tuple[Given, ...]


def init_secrets(
    outside: Outside, folder: Path, environment: str, tenant: str | None = None
) -> Initialised:
    """Make every value that is missing and that a machine may make; writes over nothing."""
    inventory = read_secrets(outside, folder, environment, tenant)
    made: dict[str, Given] = {}
    there, wanted = [], []
    for held in inventory.held:
        if held.name in made:
            continue
        if not _is_missing(held, inventory):
            if held.value is not None and held.wanted.is_secret:
                there.append(_given(held.wanted, held.source))
        elif held.wanted.kind in (None, SecretKind.GIVEN) or _has_other_half(held, inventory):
            wanted.append(_given(held.wanted, _place(inventory, held.wanted)))
        elif held.wanted.made_with is None:
            for name in make_secret(outside, inventory, held.wanted):
                item = inventory.find(name)
                made[name] = _given(
                    item.wanted if item else held.wanted, _relative(inventory, name), name
                )
    return Initialised(environment, tuple(made.values()), tuple(there), tuple(wanted))


def make_secret(outside: Outside, inventory: Inventory, wanted: Wanted) -> tuple[str, ...]:
    """Write a new value, both halves of a pair; returns the names that have new files."""
    made = outside.secret_files.make(recipe_for(inventory, wanted))
    outside.secret_files.write(inventory.path_of(wanted.name), made.value)
    other = partner_of(wanted)
    if made.partner is None or other is None:
        return (wanted.name,)
    outside.secret_files.write(inventory.path_of(other), made.partner)
    return wanted.name, other


def recipe_for(inventory: Inventory, wanted: Wanted) -> Recipe:
    """How a value is made; a certificate is for the services that hold its private key."""
    other = inventory.find(partner_of(wanted) or "")
    servers = other.wanted.need.services if other else wanted.need.services
    hosts = wanted.spec.hosts or (*servers, "localhost")
    assert wanted.kind is not None  # noqa: S101 - only secrets are made
    return Recipe(wanted.kind, wanted.name, wanted.length, hosts, wanted.spec.days)


def set_secret(
    outside: Outside,
    folder: Path,
    environment: str,
    name: str,
    value: bytes,
    *,
    tenant: str | None = None,
    is_forced: bool = False,
) -> str:
    """Write a value that a person gave; returns the file. Refuses a name that nobody asks for and
    a value that the rules refuse, unless it is forced.
    """
    inventory = read_secrets(outside, folder, environment, tenant)
    held = inventory.find(check_name("secret", name))
    if held is None and not is_forced:
        raise _unknown(inventory, name)
    if held is not None:
        refuse_env_file(inventory, held)
        if not is_forced:
            refuse_bad(inventory, held, value)
    outside.secret_files.write(inventory.path_of(name), value)
    return _relative(inventory, name)


def refuse_bad(inventory: Inventory, held: Held, value: bytes) -> None:
    """Raise `NotAllowed` for a value that `berth check` would refuse."""
    new = Held(held.wanted, "the value", value)
    found = [item for item in rules.judge(new, inventory.scene) if item.rule != "permissions"]
    if not value.strip():
        raise UserError(f"{held.name}: the value is empty; nothing was written")
    if found:
        raise NotAllowed(
            f"{held.name}: {found[0].evidence}; nothing was written",
            next_command="give another value, or the same with --force",
        )


def refuse_env_file(inventory: Inventory, held: Held) -> None:
    """Raise `NotAllowed` when the value stands in an env file, which would then disagree."""
    if held.source and held.source in inventory.environment.env_file:
        raise NotAllowed(
            f"{held.name} stands in {held.source}, in the open beside what is no secret",
            next_command=f"take {held.name} out of {held.source}, then say it again: "
            f"the value will lie in {inventory.folder}/{held.name}",
        )


def find_secret(inventory: Inventory, name: str) -> Held:
    """What is held under a name; raises `NotFound` with the nearest one."""
    held = inventory.find(check_name("secret", name))
    if held is None:
        raise _unknown(inventory, name)
    return held


def _unknown(inventory: Inventory, name: str) -> NotFound:
    names = [held.name for held in inventory.held]
    near = get_close_matches(name, names, n=1)
    known = ", ".join(names) or "nothing"
    return NotFound(
        f"no Compose file of {inventory.environment.name} asks for {name!r}; they ask for {known}"
        + (f". Did you mean {near[0]}?" if near else ""),
        next_command=f"berth secrets list {inventory.environment.name}",
    )


def _is_missing(held: Held, inventory: Inventory) -> bool:
    """Whether it has to come from somewhere: a known default is no value of a secret."""
    if held.file is not None and not held.file.is_plain:
        return False
    if held.value is not None and held.value.strip():
        return False
    default = held.wanted.need.default
    if default is None:
        return True
    return bool(default) and held.wanted.is_secret and inventory.scene.is_strict


def _has_other_half(held: Held, inventory: Inventory) -> bool:
    """A pair of which one half is there cannot be completed: its other half would not fit."""
    name = held.wanted.made_with or partner_of(held.wanted)
    other = inventory.find(name) if name else None
    return other is not None and other.value is not None and bool(other.value.strip())


def _given(wanted: Wanted, where: str, name: str | None = None) -> Given:
    kind = wanted.kind.value if wanted.kind else "configuration"
    return Given(name or wanted.name, kind, where, wanted.is_guessed, wanted.need.location)


def _place(inventory: Inventory, wanted: Wanted) -> str:
    if not wanted.is_secret:
        return f".env.{inventory.environment.name}"
    return _relative(inventory, wanted.name)


def _relative(inventory: Inventory, name: str) -> str:
    """A tenant's lie with the server's own state, not beside the app's files."""
    path = inventory.path_of(name)
    is_beside = path.is_relative_to(inventory.spec.folder)
    return str(path.relative_to(inventory.spec.folder) if is_beside else path)
