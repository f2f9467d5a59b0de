"""Validators' complaints as sentences: where, what is wrong, what was probably meant."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from berthmaster.adapters.berthfile.document import Document, Path_
from berthmaster.domain.errors import InvalidSpec

MAX_PROBLEMS: Final = 10
MAX_LOOKED_AT: Final = 200  # of tens of thousands, each compared with every known key


def from_pydantic(
    error: ValidationError, model: type[BaseModel], document: Document
) -> InvalidSpec:
    """One error for all that pydantic found, each line with its place in the file."""
    found: dict[Path_, str] = {}
    for item in error.errors(include_url=False, include_context=True)[:MAX_LOOKED_AT]:
        path = _file_path(item["loc"], document)
        found.setdefault(path, _sentence(item, model))
    return join_problems(document, list(found.items()))


def join_problems(document: Document, problems: list[tuple[Path_, str]]) -> InvalidSpec:
    """The first problem is the error's location; the others follow on their own lines."""
    ordered = sorted(problems, key=lambda item: int(document.location(item[0]).rpartition(":")[2]))
    first, rest = ordered[0], ordered[1:MAX_PROBLEMS]
    lines = [first[1], *(f"{document.location(path)}: {text}" for path, text in rest)]
    left = len(ordered) - MAX_PROBLEMS
    if left > 0:
        lines.append(f"and {left} more")
    return InvalidSpec("\n".join(lines), location=document.location(first[0]))


def unknown_key(key: str, known: Iterable[str]) -> str:
    """What to say of a key nobody knows."""
    names = sorted(known)
    near = get_close_matches(key, names, n=1, cutoff=0.5)
    if near:
        return f"unknown key `{key}`, did you mean `{near[0]}`?"
    return (
        f"unknown key `{key}`; known here: {', '.join(names)}" if names else f"unknown key `{key}`"
    )


def dotted(path: Path_) -> str:
    """A path as people write it: `environments.prod.hosts[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _file_path(loc: tuple[int | str, ...], document: Document) -> Path_:
    """Pydantic's location without the parts it adds (`[key]`, names of union members)."""
    path: Path_ = ()
    for part in loc:
        if (*path, part) in document.lines:
            path = (*path, part)
    return path


def _sentence(item: Mapping[str, Any], model: type[BaseModel]) -> str:
    loc = item["loc"]
    match item["type"]:
        case "extra_forbidden":
            return unknown_key(str(loc[-1]), _keys_at(model, loc[:-1]))
        case "missing":
            return f"`{dotted(loc)}` is missing"
        case "value_error":
            return f"`{dotted(loc)}`: {item['ctx']['error']}"
        case "enum" | "literal_error":
            near = get_close_matches(str(item["input"]), item["ctx"]["expected"].split("'"), n=1)
            hint = f", did you mean `{near[0]}`?" if near else ""
            return f"`{dotted(loc)}` must be {item['ctx']['expected']}, not {item['input']!r}{hint}"
        case "too_short":
            return f"`{dotted(loc)}` must not be empty"
        case _:
            return f"`{dotted(loc)}`: {item['msg'].removeprefix('Input ')}, not {item['input']!r}"


def _keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> Iterable[str]:
    found: Any = model
    for part in loc:
        fields = getattr(found, "model_fields", None)
        if fields and part in fields:
            found = _model_in(fields[part].annotation)
    fields = getattr(found, "model_fields", {})
    return [item.alias or name for name, item in fields.items()]


def _model_in(annotation: Any) -> Any:
    """The model inside `dict[str, M]`, `tuple[M, ...]`, `M | None` or an `Annotated` of these."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in reversed(get_args(annotation)):
        found = _model_in(part)
        if found is not None:
            return found
    return None
