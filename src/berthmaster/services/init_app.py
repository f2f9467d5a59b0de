"""`berth init`: a first `berth.yaml` from the Compose files that are there.

What no file tells is asked: one question at a time, with file and line and what to write.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from berthmaster.domain.check import Check
from berthmaster.domain.checks import POLICY
from berthmaster.domain.errors import BerthmasterError, InvalidSpec, NotAllowed, NotFound
from berthmaster.domain.names import StackId
from berthmaster.domain.spec import AppSpec, Role
from berthmaster.planner import composemodel as compose
from berthmaster.planner.roles import answered_port, data_of
from berthmaster.ports.compose import ComposeInputs
from berthmaster.ports.outside import Outside
from berthmaster.services.checks.asking import ask
from berthmaster.services.checks.facts import CheckFacts
from berthmaster.services.checks.register import CHECKERS
from berthmaster.services.render_model import ReleaseRequest, Rendering, render_model

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
_SECRET_FILES: Final = re.compile(r"^secrets:", re.MULTILINE)
_ENV_FILE: Final = re.compile(r"env file (\S+) not found")
_PLACEHOLDER: Final = "1"  # for a variable without a value: the text is not kept, only the shape
_ASKED: Final = "prod"  # the environment whose first deploy init prepares


@dataclass(frozen=True, slots=True)
class Question:
    """What must be decided or given before the first deploy."""

    what: str  # with file and line where a file says it
    answer: str  # what to write, and where
    others: int = 0  # places where the same is to be done, beside this one


@dataclass(frozen=True, slots=True)
class Proposal:
    """The text that was written, and what no file tells."""

    text: str
    questions: tuple[Question, ...] = ()


async def init_app(outside: Outside, folder: Path, *, is_forced: bool = False) -> Proposal:
    """Write `berth.yaml`; raises `NotAllowed` when there is one, `NotFound` without Compose."""
    target = folder / "berth.yaml"
    if target.exists() and not is_forced:
        raise NotAllowed(
            f"{target} exists already", next_command="berth check, or berth init --force"
        )
    models = {}
    for name, files in find_environments(folder).items():
        outside.specs.check_compose_files(folder, files)
        models[name] = await _render(outside, folder, name, files)
    text = outside.specs.propose(folder, models)
    target.write_text(text)
    return Proposal(text, await _questions(outside, folder))


def find_environments(folder: Path) -> dict[str, tuple[str, ...]]:
    """Compose files by environment, from their names; `prod` is always among them.

    One `.env`, or one folder of secret files, is one environment's: whoever has that runs
    production from it, and no two environments may have the same secrets.
    """
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
    if (folder / ".env").is_file() or _SECRET_FILES.search((folder / base).read_text()):
        del found["dev"]
    return found


async def _render(
    outside: Outside, folder: Path, environment: str, files: tuple[str, ...]
) -> Mapping[str, Any]:
    """With the env files that a deploy will read; a variable without a value gets a stand-in."""
    beside = (".env", f".env.{environment}")
    env_files = tuple(name for name in beside if (folder / name).is_file())
    inputs = ComposeInputs(folder=folder, files=files, env_files=env_files)
    variables = await outside.compose.variables(inputs)
    given = outside.specs.env_values(folder, env_files)
    missing = {
        name: _PLACEHOLDER
        for name, value in variables.items()
        if value is None and not given.get(name)
    }
    complete = ComposeInputs(folder, files, env_files, missing)
    try:
        return await outside.compose.config("berth-init", complete)
    except InvalidSpec as error:
        raise _with_example(folder, error) from error


def _with_example(folder: Path, error: InvalidSpec) -> InvalidSpec:
    """An env file that is in no repository often has an example beside it."""
    missing = _ENV_FILE.search(error.message)
    if missing is None:
        return error
    path = Path(missing[1])
    shown = path.relative_to(folder) if path.is_relative_to(folder) else path
    names = (f"{path.name}.example", f"{path.name}.sample", f"example{path.name}")
    example = next((name for name in names if (path.parent / name).is_file()), None)
    copied = f"cp {shown.parent / example} {shown}" if example else f"write {shown}"
    return InvalidSpec(
        f"env file {shown} is not there: the Compose file reads it",
        location=error.location,
        next_command=f"{copied}, then berth init",
    )


async def _questions(outside: Outside, folder: Path) -> tuple[Question, ...]:
    """What would stop the first deploy and is said by the files alone, one for each kind."""
    spec = outside.specs.read(folder)
    request = ReleaseRequest(StackId(spec.app, _ASKED), folder, command="berth init")
    try:
        rendering = await render_model(outside, request, is_lenient=True)
    except BerthmasterError as error:
        return (_cannot_render(spec, error),)
    facts = CheckFacts(outside, request, spec, rendering)
    found = await ask(facts, (item for item in CHECKERS if item.of_files))
    groups: dict[str, list[Check]] = {}
    for item in found:
        if item.is_bad:
            groups.setdefault(_group(item), []).append(item)
    asked = [_question(group) for group in groups.values()]
    return tuple(asked or _who_answers(outside, rendering))


def _group(item: Check) -> str:
    """What is asked together: all that one service may not do, else one rule over all services."""
    head, _, rule = item.id.partition(".")
    is_about_one = head == POLICY.id and rule not in ("mutable_tag", "build")
    return item.evidence.partition(":")[0] if is_about_one else item.id


def _question(group: list[Check]) -> Question:
    first, *rest = group
    if len({item.id for item in group}) == 1:
        return Question(first.evidence, first.remedy, len(rest))
    return Question("; ".join(item.evidence for item in group), first.remedy)


def _cannot_render(spec: AppSpec, error: BerthmasterError) -> Question:
    what = error.message
    unset = re.search(r"variables? (.+?) (?:is|are) ", what)
    if unset is None or spec.release_variable in unset[1].split(", "):
        return Question(what, error.next_command or "mend the file, then berth check prod")
    return Question(what, f"berth secrets init {_ASKED}, or write the value into .env.{_ASKED}")


def _who_answers(outside: Outside, rendering: Rendering) -> list[Question]:
    """Ready-made software that answers requests and keeps data: two of them at once may harm it."""
    spec, found = rendering.spec, []
    if spec.routes or spec.sites:
        return []
    for name, service in compose.services_of(rendering.model).items():
        role = next(item.role for item in rendering.decisions if item.service == name)
        port = answered_port(service)
        if role is not Role.STATE or port is None:
            continue
        place = outside.specs.place_of(spec, rendering.environment.name, name, "image")
        what = (
            f"{place}: {name} takes requests on port {port} and keeps {data_of(service)}: may two"
            " of it run at once, for the seconds of a switch?"
        )
        answer = (
            f"if so, in berth.yaml: services.{name}.role: routed and routes: "
            f"[{{path: /, service: {name}, port: {port}}}]"
        )
        found.append(Question(what, answer))
    return found
