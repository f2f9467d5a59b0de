"""The adapter behind `ports.specs.Specs`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from berthmaster.adapters.berthfile import checkout as committed
from berthmaster.adapters.berthfile import compose_files, envfile, inputs, sent, versions
from berthmaster.adapters.berthfile import propose as proposing
from berthmaster.adapters.berthfile import revision as repository
from berthmaster.adapters.berthfile.checklist import read_checklist
from berthmaster.adapters.berthfile.convert import environment_of
from berthmaster.adapters.berthfile.document import read_text
from berthmaster.adapters.berthfile.needs import needs_of
from berthmaster.adapters.berthfile.read import read_berthfile
from berthmaster.domain.checklist import Checklist
from berthmaster.domain.domainpolicy import Outline, outline_of
from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.freeze import FREEZE_FILE, FreezeWindow, parse_freeze
from berthmaster.domain.secret import Need
from berthmaster.domain.spec import AppSpec
from berthmaster.ports.checkout import Checkout, VersionCatalogue, WrittenImage


class BerthfileSpecs:
    """Reads and checks the files of an app folder; bad files raise `InvalidSpec`."""

    def read(self, folder: Path) -> AppSpec:
        """Read `berth.yaml` of a folder."""
        return read_berthfile(folder)

    def outline(self, folder: Path) -> Outline:
        """Read all of it for the outline."""
        return outline_of(self.read(folder))

    def check_compose_files(self, folder: Path, files: tuple[str, ...]) -> None:
        """Check each file, and what it includes, against the Compose schema."""
        compose_files.check_compose_files(folder, files)

    def fingerprint(self, spec: AppSpec, environment: str, options: Mapping[str, str]) -> str:
        """Hash every input file, the options and the tool's version."""
        return inputs.fingerprint(spec, environment, options)

    def artifact_inputs(self, spec: AppSpec) -> Mapping[str, str]:
        """Hash by path of the files that are the same in every environment."""
        return inputs.artifact_inputs(spec)

    def env_values(self, folder: Path, files: tuple[str, ...]) -> Mapping[str, str]:
        """Literal values of `.env` files; later files win."""
        return envfile.env_values(folder, files)

    def versioned_services(self, spec: AppSpec, environment: str) -> frozenset[str]:
        """Services whose image tag comes from the release variable."""
        there = environment_of(spec, environment)
        files = compose_files.read_compose_files(Path(spec.folder), there.compose)
        return compose_files.versioned_services(files, spec.release_variable)

    def place_of(self, spec: AppSpec, environment: str, service: str, key: str) -> str | None:
        """Where the Compose files say a key of a service, or the service at all."""
        there = environment_of(spec, environment)
        files = compose_files.read_compose_files(Path(spec.folder), there.compose)
        found = compose_files.place_of(files, service, key)
        return found or compose_files.place_of(files, service, None)

    def secret_files(self, spec: AppSpec, environment: str) -> Mapping[str, str]:
        """Absolute path by name of the environment's secret files; `name.txt` also counts as
        `name`.
        """
        there = environment_of(spec, environment)
        if there.secrets is None:
            return {}
        folder = Path(spec.folder) / there.secrets
        if there.tenant is not None and not folder.exists():
            return {}  # made with its first secret
        if not folder.is_dir():
            raise InvalidSpec(
                f"the folder of {environment}'s secrets is missing", location=there.secrets
            )
        found: dict[str, str] = {}
        for path in sorted(folder.iterdir()):
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                found.setdefault(path.name.removesuffix(".txt"), str(path))
                found[path.name] = str(path)
        return found

    def needs(self, spec: AppSpec, environment: str) -> tuple[Need, ...]:
        """What the Compose files ask for, as they are written."""
        return needs_of(spec, environment)

    def secret_variables(self, spec: AppSpec, environment: str) -> Mapping[str, str]:
        """Values of interpolated variables that lie in the environment's secrets folder."""
        there = environment_of(spec, environment)
        files = self.secret_files(spec, environment) if there.secrets else {}
        asked = (
            {need.name for need in needs_of(spec, environment) if need.is_variable}
            if files
            else set()
        )
        return {
            name: _variable(Path(files[name]), f"{there.secrets}/{name}")
            for name in sorted(asked & files.keys())
        }

    def revision(self, folder: Path) -> str | None:
        """The commit checked out, with `-dirty` when files differ."""
        facts = sent.facts_of(folder)
        return repository.revision(folder) if facts is None else facts.get("revision")

    def freezes(self, folder: Path) -> tuple[FreezeWindow, ...]:
        """The windows of `.deploy-freeze`; a file that cannot be understood is an error."""
        path = folder / FREEZE_FILE
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidSpec("it cannot be read", location=FREEZE_FILE) from error
        try:
            return parse_freeze(text)
        except ValueError as error:
            line, _, what = str(error).removeprefix("line ").partition(": ")
            raise InvalidSpec(what, location=f"{FREEZE_FILE}:{line}") from error

    def checkout(self, spec: AppSpec) -> Checkout | None:
        """Compare what deploys read with the last commit."""
        facts = sent.facts_of(Path(spec.folder))
        return committed.checkout(spec) if facts is None else sent.checkout_of(facts)

    def version_catalogue(self, spec: AppSpec, environment: str) -> VersionCatalogue | None:
        """The app's `versions.env`."""
        return versions.version_catalogue(spec, environment)

    def written_images(self, spec: AppSpec, environment: str) -> Mapping[str, WrittenImage]:
        """Images before interpolation, with file and line."""
        return versions.written_images(spec, environment)

    def checklist(self, path: Path) -> Checklist:
        """A checklist file."""
        return read_checklist(path, path.name)

    def propose(self, folder: Path, models: Mapping[str, Mapping[str, Any]]) -> str:
        """The text of a new `berth.yaml`."""
        return proposing.propose(folder, models)


def _variable(path: Path, name: str) -> str:
    """A file's text as a variable; raises `InvalidSpec` for what no variable can hold."""
    text = read_text(path, name)
    if "\0" in text:
        raise InvalidSpec("a variable cannot hold a NUL; mount it as a file", location=name)
    return text.removesuffix("\n").removesuffix("\r")
