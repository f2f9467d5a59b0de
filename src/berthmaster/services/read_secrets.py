"""Which values an environment's Compose files ask for, and what it has; reads only.

Values are held for the rules and for the vault's marks; nothing here prints or records one.
"""

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from berthmaster.domain.errors import NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.rehearsal import REHEARSAL
from berthmaster.domain.secret import Delivery, Need, SecretFile
from berthmaster.domain.spec import AppSpec, EnvironmentSpec
from berthmaster.planner.secretkinds import Wanted, decide_kinds
from berthmaster.planner.secretrules import Held, Scene
from berthmaster.ports.outside import Outside
from berthmaster.services.tenant_spec import spec_for

TENANT_VALUES: Final = "its tenant"  # who gives a variable that is in no file
REHEARSAL_VALUES: Final = "rehearsal.env"


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that an environment's files ask for, with what was found."""

    spec: AppSpec
    environment: EnvironmentSpec
    held: tuple[Held, ...]
    scene: Scene
    twice: tuple[tuple[str, str], ...] = ()  # name and env file, also in the secrets folder

    @property
    def folder(self) -> str:
        """Where its secrets lie, or will, relative to the app's folder."""
        return secrets_folder(self.environment)

    def path_of(self, name: str) -> Path:
        """Where a secret's file is, or will be."""
        held = self.find(name)
        if held is not None and held.file is not None and not held.wanted.need.is_variable:
            return Path(held.file.path)
        written = PurePosixPath((held.wanted.need.file if held else None) or "")
        is_here = str(written.parent) == self.folder
        return Path(self.spec.folder) / self.folder / (written.name if is_here else name)

    def find(self, name: str) -> Held | None:
        """What is held under a name."""
        return next((item for item in self.held if item.name == name), None)


def secrets_folder(environment: EnvironmentSpec) -> str:
    """The folder of an environment's secrets, whether it is there or not."""
    return environment.secrets or f"secrets/{environment.name}"


def read_secrets(
    outside: Outside, folder: Path, environment: str, tenant: str | None = None
) -> Inventory:
    """Read what an environment, or one tenant in it, has.

    Raises `NotFound` for an unknown one, `InvalidSpec` for files that cannot be read.
    """
    spec = outside.specs.read(folder)
    if tenant is not None:
        spec = spec_for(outside, spec, StackId(spec.app, environment, tenant))
    there = spec.environments.get(environment)
    if there is None:
        known = ", ".join(sorted(spec.environments))
        raise NotFound(f"berth.yaml has no environment {environment!r}; it has {known}")
    needs = outside.specs.needs(spec, environment)
    wanted = decide_kinds(needs, spec.secrets, spec.release_variable)
    look = _Look(outside, spec, there)
    held = tuple(look.held(item) for item in wanted)
    owners = outside.secret_files.owners(Path(spec.folder))
    called = f"{environment}/{REHEARSAL}" if there.rehearsal else environment
    scene = Scene(called, there.is_strict, owners)
    return Inventory(spec, there, held, scene, look.twice(wanted))


class _Look:
    """Finds values in the secrets folder and in the env files."""

    def __init__(self, outside: Outside, spec: AppSpec, environment: EnvironmentSpec) -> None:
        self._files = outside.secret_files
        self._app = Path(spec.folder)
        self._name = secrets_folder(environment)
        self._names = frozenset(self._files.names(self._app / self._name))
        self._variables = _variables(outside, spec, environment)
        self._is_tenant = environment.tenant is not None
        self._declared = environment.rehearsal.env if environment.rehearsal else {}

    def held(self, wanted: Wanted) -> Held:
        """The value of one need, from where a deploy would take it."""
        need = wanted.need
        for name in _names_of(need):
            if name in self._names:
                return self._from_file(wanted, f"{self._name}/{name}")
        if need.is_variable and need.name in self._declared:
            return Held(wanted, REHEARSAL_VALUES, self._declared[need.name].encode())
        if self._is_tenant and wanted.is_secret:
            return Held(wanted)  # what lies beside the Compose files is everybody's
        if need.is_variable and need.name in self._variables:
            source, value = self._variables[need.name]
            file = self._files.look(self._app / source) if wanted.is_secret else None
            return Held(wanted, source, value.encode(), file)
        if need.file is not None and self._files.look(self._app / need.file) is not None:
            return self._from_file(wanted, need.file)
        return Held(wanted)

    def twice(self, wanted: tuple[Wanted, ...]) -> tuple[tuple[str, str], ...]:
        """Variables that stand in the secrets folder and in an env file."""
        both = {item.name for item in wanted if item.need.is_variable} & self._names
        return tuple(
            (name, self._variables[name][0]) for name in sorted(both & set(self._variables))
        )

    def _from_file(self, wanted: Wanted, source: str) -> Held:
        path = self._app / source
        file = self._files.look(path)
        value = self._files.read(path) if file and file.is_plain else None
        if value is not None and wanted.need.is_variable:
            value = value.removesuffix(b"\n").removesuffix(b"\r")
        return Held(wanted, source, value, _named(file, wanted.name))


def _named(file: SecretFile | None, name: str) -> SecretFile | None:
    return None if file is None else replace(file, name=name)


def _names_of(need: Need) -> tuple[str, ...]:
    """File names under which a deploy looks for a value (`planner/mounting.py`)."""
    if need.delivery is Delivery.VARIABLE:
        return (need.name,)
    return (need.name, f"{need.name}.txt", *([PurePosixPath(need.file).name] if need.file else []))


def _variables(
    outside: Outside, spec: AppSpec, environment: EnvironmentSpec
) -> dict[str, tuple[str, str]]:
    """Source and value of each variable of the env files; later files win."""
    found: dict[str, tuple[str, str]] = {}
    for name in environment.env_file:
        if outside.secret_files.look(Path(spec.folder) / name) is None:
            continue  # told by whoever renders
        values = outside.specs.env_values(Path(spec.folder), (name,))
        found |= {key: (name, value) for key, value in values.items()}
    return found | {key: (TENANT_VALUES, value) for key, value in environment.values.items()}
