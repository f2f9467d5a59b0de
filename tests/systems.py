"""The four source systems' Compose files with their traps, and as Compose reads them.

`python -m tests.systems` writes the stored models again; a test proves that they are what
`docker compose config` prints.
"""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.berthfile import BerthfileSpecs
from berthmaster.domain.spec import AppSpec

FOLDER: Final = Path(__file__).parent / "fixtures" / "systems"
STACKS: Final = (
    ("statuswatch", "prod"),
    ("statuswatch", "dev"),
    ("cms", "prod"),
    ("cms", "dev"),
    ("watan", "prod"),
    ("sanctum", "prod"),
    ("sanctum", "stage"),
)
PLACE: Final = "/srv/app"  # stands for the folder, so that models are equal on every machine


def load_spec(system: str) -> AppSpec:
    """The system's `berth.yaml`, as if it lay in `PLACE`."""
    return replace(BerthfileSpecs().read(FOLDER / system), folder=PLACE)


def load_model(system: str, environment: str) -> dict[str, Any]:
    """The stored model."""
    loaded: dict[str, Any] = json.loads(_stored(system, environment).read_text())
    return loaded


def load_versioned(system: str, environment: str) -> frozenset[str]:
    """Services whose tag comes from the release variable."""
    specs = BerthfileSpecs()
    return specs.versioned_services(specs.read(FOLDER / system), environment)


def load_env(system: str, environment: str) -> dict[str, str]:
    """The literal values of the environment's `.env` files."""
    names = load_spec(system).environments[environment].env_file
    return dict(BerthfileSpecs().env_values(FOLDER / system, names))


def render_with_compose(system: str, environment: str) -> dict[str, Any]:
    """What Compose prints now."""
    folder = FOLDER / system
    there = load_spec(system).environments[environment]
    command = [
        "docker",
        "compose",
        "-p",
        f"{system}-{environment}",
        "--project-directory",
        str(folder),
    ]
    for name in there.compose:
        command += ["-f", str(folder / name)]
    for name in there.env_file:
        command += ["--env-file", str(folder / name)]
    done = subprocess.run(
        [*command, "config", "--format", "json"], check=True, capture_output=True, text=True
    )
    loaded: dict[str, Any] = json.loads(done.stdout.replace(str(folder), PLACE))
    return loaded


def _stored(system: str, environment: str) -> Path:
    return FOLDER / system / f"{environment}.model.json"


def main() -> None:
    """Store all models."""
    for system, environment in STACKS:
        model = render_with_compose(system, environment)
        _stored(system, environment).write_text(json.dumps(model, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
