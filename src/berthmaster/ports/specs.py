"""`berth.yaml` and the other input files of an app."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from berthmaster.domain.checklist import Checklist
from berthmaster.domain.domainpolicy import Outline
from berthmaster.domain.freeze import FreezeWindow
from berthmaster.domain.secret import Need
from berthmaster.domain.spec import AppSpec
from berthmaster.ports.checkout import Checkout, VersionCatalogue, WrittenImage


class Specs(Protocol):
    """Reads and checks files; raises `InvalidSpec` with file, line and the nearest right key."""

    def read(self, folder: Path) -> AppSpec:
        """Read `berth.yaml` of a folder."""
        ...

    def outline(self, folder: Path) -> Outline:
        """The part of it that commands need which deploy nothing; remembered while it is the
        same, so Compose files that broke since are not seen.
        """
        ...

    def check_compose_files(self, folder: Path, files: tuple[str, ...]) -> None:
        """Check each file against the official Compose schema, offline."""
        ...

    def fingerprint(self, spec: AppSpec, environment: str, options: Mapping[str, str]) -> str:
        """Hash of every input file, the options and the tool's version.

        Input files are Compose files and what they include, env files, secrets, relative binds,
        sites and `berth.yaml`. Reads no registry and renders nothing.
        """
        ...

    def artifact_inputs(self, spec: AppSpec) -> Mapping[str, str]:
        """Hash by path of the files that are the same in every environment (`planner/artifact`)."""
        ...

    def env_values(self, folder: Path, files: tuple[str, ...]) -> Mapping[str, str]: ...

    def versioned_services(self, spec: AppSpec, environment: str) -> frozenset[str]:
        """Services whose image tag comes from the release variable, as the Compose files are
        written.
        """
        ...

    def place_of(self, spec: AppSpec, environment: str, service: str, key: str) -> str | None:
        """`compose.yaml:12` where the Compose files say a key of a service, or the service."""
        ...

    def secret_files(self, spec: AppSpec, environment: str) -> Mapping[str, str]:
        """Absolute path by secret name of the environment's secrets folder; empty without one."""
        ...

    def needs(self, spec: AppSpec, environment: str) -> tuple[Need, ...]:
        """Every secret that a service mounts and every variable that is interpolated, by name."""
        ...

    def secret_variables(self, spec: AppSpec, environment: str) -> Mapping[str, str]:
        """Values of variables from the environment's secrets folder, only those asked for.

        One line break at the end is no part of a value.
        """
        ...

    def revision(self, folder: Path) -> str | None:
        """The commit checked out, with `-dirty` when files differ; None outside a repository."""
        ...

    def freezes(self, folder: Path) -> tuple[FreezeWindow, ...]:
        """The windows of the folder's `.deploy-freeze`; none without the file."""
        ...

    def checkout(self, spec: AppSpec) -> Checkout | None:
        """How the files that deploys read stand to their last commit; None outside a repository."""
        ...

    def version_catalogue(self, spec: AppSpec, environment: str) -> VersionCatalogue | None:
        """The app's `versions.env`; None without one."""
        ...

    def written_images(self, spec: AppSpec, environment: str) -> Mapping[str, WrittenImage]:
        """The image of each service as the last Compose file that names one has it."""
        ...

    def checklist(self, path: Path) -> Checklist:
        """Read a checklist file."""
        ...

    def propose(self, folder: Path, models: Mapping[str, Mapping[str, Any]]) -> str:
        """The text of a new `berth.yaml` from rendered Compose models by environment."""
        ...
