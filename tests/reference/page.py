"""The pages under `docs/reference`, made from the code that they describe.

`python -m tests.reference` writes them; a test fails when one is stale.
"""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from berthmaster import settings
from berthmaster.adapters.berthfile import berth_schema, render_schema
from berthmaster.cli.main import SECTIONS, berth
from berthmaster.domain import errors
from berthmaster.domain.check import CheckKind, Scope
from berthmaster.services.checks.register import CHECKERS

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
_MADE = "Made from the code by `python -m tests.reference`; do not edit it.\n"
_SECTIONS = {  # of berth.yaml: title -> name in the schema
    "environments.NAME": "Environment",
    "environments.NAME.policy": "Policy",
    "environments.NAME.policy.allow": "Allow",
    "routes": "Route",
    "services.NAME": "Service",
    "jobs.NAME": "Job",
    "sites.NAME": "Site",
    "smoke": "Smoke",
    "retention": "Retention",
    "secrets.NAME": "Secret",
    "config": "Config",
}


def render_settings() -> str:
    """Every key of the server's settings with its default and its variable."""
    lines = [
        "# Settings of the server",
        "",
        _MADE,
        f"`{settings.PATH}`, or another file named by `{settings.PATH_VARIABLE}`;",
        "a variable wins over the file. An unknown key is an error with its line and the nearest",
        "known one. What belongs to an app is in [berth.yaml](berth-yaml.md).",
        "",
        "| key | default | what it is | variable |",
        "| --- | --- | --- | --- |",
    ]
    for key, default, sentence in settings.reference():
        shown = "" if default in ("None", "()") else f"`{default}`"
        name = f"`{settings.PREFIX}{key.upper().replace('.', '_')}`" if key not in _TABLES else ""
        lines.append(f"| `{key}` | {shown} | {sentence} | {name} |")
    return "\n".join([*lines, "", _ENTRYPOINTS])


_TABLES = ("entrypoints", "gateway.hsts_steps")  # which no variable can hold
_ENTRYPOINTS = """\
## `[[entrypoints]]`

| key | default | what it is |
| --- | --- | --- |
| `name` | | What `entrypoint` of an environment names. |
| `port` | | Port on all addresses of the host. |
| `tls` | `off` | `off`: plain. `local`: the edge's own CA. `acme`: an ACME server. |
| `redirect_to` | | Entrypoint with TLS that plain requests are sent to. |
| `trusted_proxies` | | Networks that may set `X-Forwarded-*`. |
"""


def render_berth_yaml() -> str:
    """Every key of `berth.yaml`, section by section."""
    schema = berth_schema()
    parts = [
        "# berth.yaml",
        "",
        _MADE,
        "Only `app` and `environments` are required. Unknown keys are errors with file and",
        "line; keys that start with `x-` are yours. Durations are `30s`, `10m`, `1h30m` or",
        "seconds. Editors can check it with [berth.schema.json](berth.schema.json).",
        "",
        *_table(schema),
    ]
    for title, name in _SECTIONS.items():
        definition = schema["$defs"][name]
        parts += ["", f"## {title}", "", definition["description"], "", *_table(definition)]
    return "\n".join(parts) + "\n"


def _table(definition: dict[str, Any]) -> Iterator[str]:
    required = definition.get("required", ())
    yield "| key | default | what it is |"
    yield "| --- | --- | --- |"
    for key, item in definition["properties"].items():
        default = item.get("default")
        shown = "required" if key in required else _default(default)
        values = _values(item)
        yield f"| `{key}` | {shown} | {item.get('description', '')}{values} |"


def _default(value: Any) -> str:
    if value in (None, [], {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _values(item: dict[str, Any]) -> str:
    """The values of a closed set."""
    found = {
        str(part.get("$ref", "")).rpartition("/")[2] for part in (item, *item.get("anyOf", ()))
    }
    for name in sorted(found & {"Role", "JobMoment", "SecretKind", "Format"}):
        allowed = berth_schema()["$defs"][name]["enum"]
        return " One of " + ", ".join(f"`{value}`" for value in allowed) + "."
    return ""


def render_commands() -> str:
    """Every command with its arguments and options."""
    parts = [
        "# Commands",
        "",
        _MADE,
        "`berth [-C DIR] [--json] COMMAND ...`. A stack is `[APP@]ENV`; it is left out where",
        "there is only one. Progress goes to standard error, results to standard output. Exit",
        "codes are on the [errors](errors.md) page.",
    ]
    context = click.Context(berth, info_name="berth")
    for title, commands in SECTIONS.items():
        parts += ["", f"## {title}"]
        for name in commands:
            parts += _command(berth.get_command(context, name), f"berth {name}")
    return "\n".join(parts) + "\n"


def _command(command: click.Command | None, path: str) -> list[str]:
    assert command is not None
    context = click.Context(command, info_name=path)
    if isinstance(command, click.Group):
        names = command.list_commands(context)
        return [
            line
            for name in names
            for line in _command(command.get_command(context, name), f"{path} {name}")
        ]
    words = [
        item.make_metavar(context) for item in command.params if item.param_type_name == "argument"
    ]
    parts = [
        "",
        f"### {path}",
        "",
        f"`{' '.join([path, *words])}`",
        "",
        inspect.cleandoc(command.help or ""),
    ]
    options = [
        item for item in command.params if isinstance(item, click.Option) and not item.hidden
    ]
    if options:
        parts += ["", "| option | what it does |", "| --- | --- |"]
        parts += [f"| {_option(item, context)} | {item.help or ''} |" for item in options]
    return parts


def _option(item: click.Option, context: click.Context) -> str:
    value = "" if item.is_flag else f" {item.make_metavar(context)}"
    return f"`{', '.join(item.opts)}{value}`"


def render_errors() -> str:
    """The tree of errors with their exit codes."""
    parts = [
        "# Errors and exit codes",
        "",
        _MADE,
        "Every message says what happened, what still serves and what to type next. With",
        "`--json` the same is in `error`, with the name below as `kind`.",
        "",
        "| kind | exit code | means |",
        "| --- | --- | --- |",
    ]
    parts += [_error(kind, depth) for kind, depth in _tree(errors.BerthmasterError, 0) if depth]
    return "\n".join(parts) + "\n"


def _tree(kind: type[errors.BerthmasterError], depth: int) -> Iterator[tuple[type, int]]:
    """An error and those below it, in the order in which the module defines them."""
    yield kind, depth
    for inner in vars(errors).values():
        if isinstance(inner, type) and inner.__bases__ == (kind,):
            yield from _tree(inner, depth + 1)


def _error(kind: Any, depth: int) -> str:
    first = inspect.cleandoc(kind.__doc__).split("\n\n")[0].replace("\n", " ")
    return f"| {'&nbsp;' * 4 * (depth - 1)}`{kind.__name__}` | {kind.exit_code} | {first} |"


def render_checks() -> str:
    """The catalogue of checks, group by group in the order in which they are asked."""
    parts = [
        "# Checks",
        "",
        _MADE,
        "`berth check ENV` asks them all, `berth check --all` for every environment; how to read",
        "and override them is on [its page](../how-to/check-before-a-deploy.md). What is `change`",
        "ends it with exit code 2, what is `outside` with 3, a `note` stops nothing. `prod` stands",
        "for environments named `prod`, `production` or `live`, `strict` for all but `dev`, unless",
        "`policy.strict` says something else.",
    ]
    groups: dict[str, list[CheckKind]] = {}
    for asked in CHECKERS:
        groups.setdefault(asked.checker.__module__.rpartition(".")[2], []).extend(asked.kinds)
    for name, kinds in groups.items():
        parts += ["", f"## {name.capitalize()}", "", *_CHECK_HEAD, *map(_check_row, kinds)]
    return "\n".join([*parts, "", *_locked(list(groups.values()))]) + "\n"


_CHECK_HEAD = (
    "| id | what must hold | else | where | stops a deploy | what to do |",
    "| --- | --- | --- | --- | --- | --- |",
)
_SCOPES = {Scope.EVERYWHERE: "", Scope.STRICT: "strict", Scope.PROD: "prod"}


def _check_row(kind: CheckKind) -> str:
    deploy = "yes" if kind.is_asked_by_deploy else ""
    scope = _SCOPES[kind.scope]
    row = f"| `{kind.id}` | {kind.title} | {kind.severity} | {scope} | {deploy} | {kind.remedy} |"
    return row.replace("<", "&lt;")


def _locked(groups: list[list[CheckKind]]) -> Iterator[str]:
    yield from ("## Checks that cannot be overridden", "", "| id | why |", "| --- | --- |")
    for kind in (kind for kinds in groups for kind in kinds):
        if kind.locked_because:
            yield f"| `{kind.id}` | {kind.locked_because} |"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": render_settings,
    "berth-yaml.md": render_berth_yaml,
    "berth.schema.json": render_schema,
    "commands.md": render_commands,
    "errors.md": render_errors,
    "checks.md": render_checks,
}
