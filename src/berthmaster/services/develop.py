"""`berth dev`: plain `docker compose` on the development files, with nothing of ours added."""

from collections.abc import Sequence
from pathlib import Path

from berthmaster.domain.errors import NotFound
from berthmaster.domain.names import StackId
from berthmaster.ports.outside import Outside

NAMES = ("dev", "development", "local")


def dev_command(outside: Outside, folder: Path, arguments: Sequence[str]) -> tuple[str, ...]:
    """The argument vector of Compose for the app's development environment; reads `berth.yaml`."""
    spec = outside.specs.read(folder)
    found = next((name for name in NAMES if name in spec.environments), None)
    if found is None:
        known = ", ".join(sorted(spec.environments))
        raise NotFound(f"berth.yaml has no environment dev; it has {known}")
    environment = spec.environments[found]
    project = StackId(spec.app, found).project
    vector = ["docker", "compose", "--project-name", project, "--project-directory", str(folder)]
    for file in environment.compose:
        vector += ["--file", str(folder / file)]
    for file in environment.env_file:
        vector += ["--env-file", str(folder / file)]
    for profile in environment.profiles:
        vector += ["--profile", profile]
    return (*vector, *arguments)
