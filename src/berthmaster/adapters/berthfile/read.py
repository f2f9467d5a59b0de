"""Reading `berth.yaml`."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from berthmaster.adapters.berthfile import convert, problems
from berthmaster.adapters.berthfile.compose_files import read_compose_files
from berthmaster.adapters.berthfile.document import (
    Document,
    Path_,
    parse_document,
    read_document,
)
from berthmaster.adapters.berthfile.model import Berthfile
from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.spec import AppSpec

FILE_NAME: Final = "berth.yaml"


def read_berthfile(folder: Path) -> AppSpec:
    """Read and check `berth.yaml` of a folder; raises `InvalidSpec` with file and line."""
    if not (folder / FILE_NAME).is_file():
        raise InvalidSpec(f"there is no {FILE_NAME} in {folder}", next_command="berth init")
    document = read_document(folder / FILE_NAME, FILE_NAME)
    spec = _spec(document, folder)
    _check_service_names(spec, document)
    return spec


def parse_berthfile(text: str, folder: Path) -> AppSpec:
    """The same for text that is not written yet."""
    return _spec(parse_document(text, FILE_NAME), folder)


def _spec(document: Document, folder: Path) -> AppSpec:
    if not isinstance(document.data, dict):
        raise document.error("it must be a mapping with `app` and `environments`")
    try:
        berthfile = Berthfile.model_validate(_without_own_keys(document.data))
    except ValidationError as error:
        raise problems.from_pydantic(error, Berthfile, document) from error
    return convert.app_spec(berthfile, folder.absolute(), document)


def _check_service_names(spec: AppSpec, document: Document) -> None:
    """Refuse settings for a service that no environment has: they would be ignored in silence."""
    names = {file for item in spec.environments.values() for file in item.compose}
    names |= set(spec.rehearsal.compose)
    try:
        files = read_compose_files(Path(spec.folder), sorted(names))
    except InvalidSpec:  # its own environment reports it; the others must not suffer
        return
    known = {name for file in files for name in file.services}
    known |= {name for item in spec.environments.values() for name in item.renames.values()}
    found = [
        (path, f"no Compose file has a service `{path[-1]}`{_near(str(path[-1]), known)}")
        for path in _named_services(spec)
        if path[-1] not in known
    ]
    if known and found:
        raise problems.join_problems(document, found)


def _named_services(spec: AppSpec) -> Iterator[Path_]:
    yield from (("services", name) for name in spec.services)
    yield from (("resources", name) for name in spec.limits)
    for size, limits in (spec.tenancy.sizes if spec.tenancy else {}).items():
        yield from (("tenancy", "sizes", size, name) for name in limits)
    for environment in spec.environments.values():
        at = ("environments", environment.name)
        yield from ((*at, "replicas", name) for name in environment.replicas)
        yield from ((*at, "policy", "allow", item.service) for item in environment.allow)


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f", did you mean `{near[0]}`?" if near else f"; there are: {', '.join(sorted(known))}"


def _without_own_keys(value: Any) -> Any:
    """Take out what users keep under `x-` keys."""
    if isinstance(value, dict):
        return {
            key: _without_own_keys(item) for key, item in value.items() if not key.startswith("x-")
        }
    if isinstance(value, list):
        return [_without_own_keys(item) for item in value]
    return value
