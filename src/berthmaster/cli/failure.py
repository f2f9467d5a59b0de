"""What is said when a command fails: what happened, what still serves, the next command.

Never prints a value of a variable: crash files hold frames and error types, with quoted parts taken
out of messages.
"""

import json
import os
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

import berthmaster
from berthmaster.domain.errors import (
    BerthmasterError,
    Bug,
    DeploymentFailed,
    LeaseHeld,
    OutsideError,
)

if TYPE_CHECKING:
    from berthmaster.cli.invocation import Invocation

CRASH_CODE: Final = 70
KEPT_CRASHES: Final = 100
INTERRUPTED_CODE: Final = 130
USAGE_CODE: Final = 2
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")


def tell(error: BerthmasterError, invocation: "Invocation", *, is_json: bool) -> int:
    """Say an error of ours; returns its exit code."""
    if isinstance(error, Bug):
        return tell_crash(error, invocation, is_json=is_json)
    report = _report(error)
    if is_json:
        _print_body(error_object(error))
    elif report:
        _print_report(error, report)
    else:
        _say(error.message, error.next_command)
    return error.exit_code


def tell_interrupted(*, is_json: bool) -> int:
    """Ctrl-C before anything was changed."""
    if is_json:
        _print_json("Interrupted", "interrupted", INTERRUPTED_CODE)
    else:
        _say("interrupted", None)
    return INTERRUPTED_CODE


def tell_usage(error: click.ClickException, *, is_json: bool) -> int:
    """A command line that cannot be understood."""
    message = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "berth"
    if is_json:
        _print_json("UsageError", message, USAGE_CODE, next_command=f"{path} --help")
    elif message.startswith("Usage: "):  # a group alone: its page, which is no complaint
        click.echo(message, err=True)
    else:
        _say(message[:1].lower() + message[1:].rstrip("."), f"{path} --help")
    return USAGE_CODE


def tell_crash(error: BaseException, invocation: "Invocation", *, is_json: bool) -> int:
    """A bug of ours: a short apology and a file that can be sent to us."""
    path = _write_crash(error, invocation)
    message = f"this is a bug in Berthmaster, sorry ({type(error).__name__})"
    where = f"{path} holds the details, without values"
    if is_json:
        _print_json("Bug", message, CRASH_CODE, crash_file=str(path))
    else:
        serves = error.message.partition("\n")[2] if isinstance(error, Bug) else ""
        said = "\n".join(filter(None, (f"{message}; {where}", serves)))
        _say(said, "berth status, and please report it with that file")
    return CRASH_CODE


def redacted_traceback(error: BaseException) -> str:
    """Frames and types of an error and its causes; quoted parts of messages are taken out."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=False)
    lines: list[str] = []
    current: traceback.TracebackException | None = trace
    while current is not None:
        frames = "".join(current.stack.format())
        message = _QUOTED.sub("...", str(current).splitlines()[0] if str(current) else "")
        name = current.exc_type.__name__ if current.exc_type else "Error"
        lines.append(f"{frames}{name}: {message}")
        current = current.__cause__ or current.__context__
    return "\n\ncaused by\n\n".join(lines) + "\n"


def _write_crash(error: BaseException, invocation: "Invocation") -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    text = f"berth {berthmaster.__version__}, Python {sys.version.split()[0]}\n\n"
    text += redacted_traceback(error)
    for folder in _crash_folders(invocation):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / f"{stamp}-{os.getpid()}.txt"
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
            _forget_old(folder)
        except OSError:
            continue
        return path
    return Path(os.devnull)


def _forget_old(folder: Path) -> None:
    """A timer that fails every minute may fill no disk; names begin with their time."""
    for path in sorted(folder.glob("*.txt"))[:-KEPT_CRASHES]:
        path.unlink(missing_ok=True)


def _crash_folders(invocation: "Invocation") -> list[Path]:
    fallback = Path(tempfile.gettempdir()) / f"berthmaster-crashes-{os.getuid()}"
    try:
        return [invocation.settings.state_folder / "crashes", fallback]
    except BerthmasterError:
        return [fallback]


def _report(error: BerthmasterError) -> str:
    """The long form that a refused release carries; empty for every other error."""
    report = getattr(error, "report", None)
    return str(report()) if isinstance(error, DeploymentFailed) and callable(report) else ""


def error_object(error: BerthmasterError) -> dict[str, Any]:
    """An error of ours as `--json` shows it."""
    facts: dict[str, Any] = {}
    if report := _report(error):
        facts["report"] = report
    if isinstance(error, OutsideError):
        facts |= {"subject": error.subject, "retryable": error.retryable}
    if isinstance(error, LeaseHeld):
        facts |= {"holder": error.holder, "age_seconds": error.age_seconds, "step": error.step}
    facts["next_command"] = error.next_command
    return _body(type(error).__name__, error.message, error.exit_code, **facts)


def _print_json(kind: str, message: str, exit_code: int, **facts: Any) -> None:
    _print_body(_body(kind, message, exit_code, **facts))


def _body(kind: str, message: str, exit_code: int, **facts: Any) -> dict[str, Any]:
    body = {"kind": kind, "message": message, "exit_code": exit_code, **facts}
    body.setdefault("next_command", None)
    return body


def _print_body(body: dict[str, Any]) -> None:
    click.echo(json.dumps({"error": body}, indent=2))


def _print_report(error: BerthmasterError, report: str) -> None:
    """The facts first, then what still serves; the short message would only repeat them."""
    head, newline, serves = error.message.rpartition("\n")
    stack = (head or error.message).partition(": ")[0]
    lines = [_red("berth:") + f" {stack}: the new release was refused", ""]
    lines += [_painted(line) for line in report.splitlines()]
    if newline:
        lines += ["", f"  {serves}"]
    if error.next_command:
        lines.append(f"  next: {error.next_command}")
    click.echo("\n".join(lines), err=True)


def _painted(line: str) -> str:
    word = line.strip().partition(" ")[0]
    if not _has_colour() or not line.startswith("  "):
        return f"  {line}"
    colour = {"cause": "red", "remedy": "green", "log": "bright_black"}.get(word)
    return f"  {click.style(line, fg=colour) if colour else line}"


def _say(message: str, next_command: str | None) -> None:
    first, *rest = message.splitlines() or [""]
    lines = [f"{_red('berth:')} {first}", *(f"  {line}" for line in rest)]
    if next_command:
        lines.append(f"  next: {next_command}")
    click.echo("\n".join(lines), err=True)


def _red(text: str) -> str:
    return click.style(text, fg="red", bold=True) if _has_colour() else text


def _has_colour() -> bool:
    from berthmaster.cli.output import has_colour

    return has_colour(sys.stderr)
