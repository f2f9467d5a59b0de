"""Versions of other people's images: the catalogue `versions.env`, and images as written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from berthmaster.adapters.berthfile.compose_files import read_compose_files
from berthmaster.adapters.berthfile.convert import environment_of
from berthmaster.adapters.berthfile.document import mapping_or_empty
from berthmaster.adapters.berthfile.envfile import env_values
from berthmaster.domain.spec import AppSpec
from berthmaster.ports.checkout import VersionCatalogue, WrittenImage

CATALOGUE_NAME: Final = "versions.env"
CATALOGUE_PLACES: Final = (CATALOGUE_NAME, f"infra/{CATALOGUE_NAME}")


def version_catalogue(spec: AppSpec, environment: str) -> VersionCatalogue | None:
    """The env file named `versions.env`, or the one beside berth.yaml or in `infra`."""
    folder = Path(spec.folder)
    named = [
        path
        for path in environment_of(spec, environment).env_file
        if Path(path).name == CATALOGUE_NAME
    ]
    found = [path for path in (*named, *CATALOGUE_PLACES) if (folder / path).is_file()]
    if not found:
        return None
    return VersionCatalogue(found[0], env_values(folder, found[:1]))


def written_images(spec: AppSpec, environment: str) -> Mapping[str, WrittenImage]:
    """By service, as the last Compose file that names an image says."""
    there = environment_of(spec, environment)
    found: dict[str, WrittenImage] = {}
    for file in read_compose_files(Path(spec.folder), there.compose):
        for name, service in file.services.items():
            image = mapping_or_empty(service).get("image")
            if isinstance(image, str):
                at = file.document.location(("services", name, "image"))
                found[name] = WrittenImage(image, at)
    return found
