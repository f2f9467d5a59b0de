"""Reading `berth.yaml`."""

from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from berthmaster.adapters.berthfile import convert, problems
from berthmaster.adapters.berthfile.document import Document, parse_document, read_document
from berthmaster.adapters.berthfile.model import Berthfile
from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.spec import AppSpec

FILE_NAME: Final = "berth.yaml"


def read_berthfile(folder: Path) -> AppSpec:
    """Read and check `berth.yaml` of a folder; raises `InvalidSpec` with file and line."""
    if not (folder / FILE_NAME).is_file():
        raise InvalidSpec(f"there is no {FILE_NAME} in {folder}", next_command="berth init")
    return _spec(read_document(folder / FILE_NAME, FILE_NAME), folder)


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


def _without_own_keys(value: Any) -> Any:
    """Take out what users keep under `x-` keys."""
    if isinstance(value, dict):
        return {
            key: _without_own_keys(item) for key, item in value.items() if not key.startswith("x-")
        }
    if isinstance(value, list):
        return [_without_own_keys(item) for item in value]
    return value
