"""`berth init`: a first `berth.yaml` from the Compose files that are there."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from berthmaster.domain.errors import NotAllowed, NotFound
from berthmaster.ports.compose import ComposeInputs
from berthmaster.ports.outside import Outside

_BASES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_OTHER: Final = re.compile(r"(?:docker-)?compose[.-]([a-z0-9]+)\.ya?ml\Z")
_ENVIRONMENTS: Final = {
    "dev": "dev",
    "development": "dev",
    "local": "dev",
    "override": "dev",
    "stage": "stage",
    "staging": "stage",
    "prod": "prod",
    "production": "prod",
}
_PLACEHOLDER: Final = "1"  # for a variable without a value: the text is not kept, only the shape


async def init_app(outside: Outside, folder: Path, *, is_forced: bool = False) -> str:
    """Write `berth.yaml`; raises `NotAllowed` when there is one, `NotFound` without Compose."""
    target = folder / "berth.yaml"
    if target.exists() and not is_forced:
        raise NotAllowed(
            f"{target} exists already", next_command="berth check, or berth init --force"
        )
    models = {}
    for name, files in find_environments(folder).items():
        models[name] = await _render(outside, folder, files)
    text = outside.specs.propose(folder, models)
    target.write_text(text)
    return text


def find_environments(folder: Path) -> dict[str, tuple[str, ...]]:
    """Compose files by environment, from their names; `prod` is always among them."""
    base = next((name for name in _BASES if (folder / name).is_file()), None)
    if base is None:
        raise NotFound(f"there is no Compose file in {folder}", next_command="berth -C DIR init")
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(folder.iterdir()):
        match = _OTHER.match(path.name)
        if match:
            found[_ENVIRONMENTS.get(match[1], match[1])] = (base, path.name)
    found.setdefault("dev", (base,))
    found.setdefault("prod", (base,))
    return found


async def _render(outside: Outside, folder: Path, files: tuple[str, ...]) -> Mapping[str, Any]:
    inputs = ComposeInputs(folder=folder, files=files)
    variables = await outside.compose.variables(inputs)
    missing = {name: _PLACEHOLDER for name, value in variables.items() if value is None}
    complete = ComposeInputs(folder=folder, files=files, variables=missing)
    return await outside.compose.config("berth-init", complete)
