"""Runs `docker compose` for rendering, starting, building and looking; never for deciding.

Flags are chosen so that Compose can only add: `--no-recreate` (its recreation is not crash-safe),
`--no-deps` (order is the planner's), `--pull never` and `--no-build` (images are there already);
never `--yes`, `--wait` or `--remove-orphans`. `--env-file /dev/null` keeps a stray `.env` out.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.compose import errors, handover, locating, process, variables
from berthmaster.adapters.uncut import uncut
from berthmaster.domain.container import PROJECT_LABEL, is_ours
from berthmaster.domain.errors import InvalidSpec, NotAllowed, NotFound
from berthmaster.ports.compose import READ_ONLY, ComposeInputs
from berthmaster.ports.runtime import Runtime

MINIMUM: Final = (2, 24)
_LEFTOVER: Final = re.compile(r"[0-9a-f]{12}_")  # what a killed recreation leaves behind
_NOTHING: Final = "/dev/null"
_QUIET: Final = {"COMPOSE_IGNORE_ORPHANS": "1"}  # a one-off is no reason to speak of them
_OURS: Final = ("DOCKER_", "COMPOSE_", "LD_", "BUILDKIT_", "BUILDX_")


class ComposeCli:
    """`ports.compose.Compose` over the binary; `runtime` removes what a killed Compose left."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def version(self) -> str:
        ended = await process.run(process.Task(_docker_compose("version", "--short")))
        text = ended.output.decode(errors="replace").strip()
        if ended.code != 0:
            raise errors.failed("docker", "version", ended.code, ended.errors)
        number = re.match(r"v?(\d+)\.(\d+)", text)
        if number and (int(number[1]), int(number[2])) < MINIMUM:
            raise errors.too_old(text, ".".join(map(str, MINIMUM)))
        return text

    async def config(self, project: str, inputs: ComposeInputs) -> Mapping[str, Any]:
        ended = await self._render(project, inputs, "--format", "json")
        if missing := locating.parse_unset(ended.errors):
            raise _unset(missing, inputs)
        rendered = handover.unescape(json.loads(ended.output))
        if not isinstance(rendered, dict):
            raise InvalidSpec("the Compose files describe nothing", location=inputs.files[0])
        return rendered

    async def variables(self, inputs: ComposeInputs) -> Mapping[str, str | None]:
        arguments = (*_with_inputs("variables", inputs), "config", "--variables")
        ended = await process.run(_task(arguments, inputs))
        if ended.code == 0:
            return variables.parse_table(ended.output.decode(errors="replace"))
        # NOTE: Compose below 2.26 has no such flag; a broken file is found by `config`.
        return variables.scan_files(path for path in _paths(inputs) if path.is_file())

    async def up(
        self,
        project: str,
        model: Mapping[str, Any],
        services: Sequence[str],
        *,
        log: Path | None = None,
    ) -> None:
        _check_services(project, model, services)
        await self._remove_leftovers(project)
        with handover.handed_over({**model, "name": project}) as path:
            arguments = _up_arguments(project, path, services)
            mask = errors.mask_of_model(model)
            # NOTE: what Compose asked the engine for comes into being after its end, too.
            ended = await uncut(
                process.run(process.Task(arguments, folder=path.parent, log=log, mask=mask))
            )
        if ended.code != 0:
            await self.version()
            raise errors.up_failed(project, ended.code, ended.errors)

    async def run(
        self, project: str, model: Mapping[str, Any], service: str, command: Sequence[str]
    ) -> int:
        _check_services(project, model, [service])
        # NOTE: with a pipe at either end a terminal would garble what passes through.
        terminal = () if sys.stdin.isatty() and sys.stdout.isatty() else ("--no-TTY",)
        with handover.handed_over({**model, "name": project}) as path:
            flags = ("run", "--rm", "--no-deps", *terminal, "--", service, *command)
            return await process.run_attached(
                (*_with_model(project, path, "quiet"), *flags), _QUIET
            )

    async def passthrough(self, project: str, arguments: Sequence[str]) -> int:
        if not arguments or arguments[0] not in READ_ONLY:
            allowed = ", ".join(sorted(READ_ONLY))
            raise NotAllowed(f"only Compose commands that change nothing are passed on: {allowed}")
        return await process.run_attached(
            _docker_compose("--project-name", project, *arguments), {}
        )

    async def build(self, project: str, inputs: ComposeInputs, services: Sequence[str]) -> None:
        arguments = (*_with_inputs(project, inputs), "build", "--", *services)
        code = await process.run_attached(
            arguments, _checked(inputs.variables), stdout=sys.stderr.fileno()
        )
        if code != 0:
            raise errors.failed(project, "build", code, "its output is above")

    async def _render(self, project: str, inputs: ComposeInputs, *options: str) -> process.Ended:
        ended = await process.run(
            _task((*_with_inputs(project, inputs), "config", *options), inputs)
        )
        if ended.code < 0:
            raise errors.failed(project, "config", ended.code, ended.errors)
        if ended.code != 0:
            await self.version()
            message = locating.plain_message(ended.errors)
            raise InvalidSpec(message, location=locating.locate_error(message, _paths(inputs)))
        return ended

    async def _remove_leftovers(self, project: str) -> None:
        """Only those that carry a label of ours; Compose would take one for the service itself."""
        for container in await self._runtime.containers({PROJECT_LABEL: project}):
            if is_ours(container.labels) and _LEFTOVER.match(container.name):
                await self._runtime.remove(container.name)


def _docker_compose(*arguments: str) -> tuple[str, ...]:
    return ("docker", "compose", *arguments)


def _with_inputs(project: str, inputs: ComposeInputs) -> tuple[str, ...]:
    arguments = ["--project-name", project, "--project-directory", str(inputs.folder)]
    for file in inputs.files:
        arguments += ["--file", str(inputs.folder / file)]
    for file in inputs.env_files or (_NOTHING,):
        arguments += ["--env-file", str(inputs.folder / file)]
    for profile in inputs.profiles:
        arguments += ["--profile", profile]
    return _docker_compose("--ansi", "never", *arguments)


def _with_model(project: str, path: Path, progress: str) -> tuple[str, ...]:
    where = ("--project-name", project, "--project-directory", str(path.parent.parent))
    what = ("--file", str(path), "--env-file", _NOTHING, "--ansi", "never", "--progress", progress)
    return _docker_compose(*where, *what)


def _up_arguments(project: str, path: Path, services: Sequence[str]) -> tuple[str, ...]:
    flags = ("--detach", "--no-deps", "--no-build", "--no-recreate", "--pull", "never")
    return (*_with_model(project, path, "plain"), "up", *flags, "--", *services)


def _task(arguments: Sequence[str], inputs: ComposeInputs) -> process.Task:
    """Env files are read for their values, so that no message can quote one."""
    env_files = [inputs.folder / file for file in inputs.env_files]
    mask = errors.mask_of_files(inputs.variables, env_files)
    return process.Task(arguments, variables=_checked(inputs.variables), mask=mask)


def _checked(given: Mapping[str, str]) -> Mapping[str, str]:
    """A variable of a Compose file may not steer Compose, Docker or the loader."""
    for name in given:
        if name.startswith(_OURS) or name in ("PATH", "HOME"):
            raise NotAllowed(f"a variable may not be called {name}: it would steer Compose itself")
    return given


def _paths(inputs: ComposeInputs) -> tuple[Path, ...]:
    named = [inputs.folder / file for file in (*inputs.files, *inputs.env_files)]
    beside = sorted(path for path in inputs.folder.glob("*.env") if path not in named)
    return (*named, *beside)


def _unset(missing: Sequence[str], inputs: ComposeInputs) -> InvalidSpec:
    location = locating.locate_variable(missing[0], _paths(inputs))
    names = ", ".join(missing)
    noun, verb = ("variable", "is") if len(missing) == 1 else ("variables", "are")
    return InvalidSpec(
        f"{noun} {names} {verb} not set: give a value in an env file, a default (${{NAME:-...}}), "
        "or write $$ for a plain dollar sign",
        location=location,
    )


def _check_services(project: str, model: Mapping[str, Any], services: Sequence[str]) -> None:
    known = model.get("services") or {}
    if unknown := [name for name in services if name not in known]:
        raise NotFound(f"{project}: the model has no service {', '.join(unknown)}")
