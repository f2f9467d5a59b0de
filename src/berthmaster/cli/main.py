"""The entry point: `berth`. Maps every error to its message and exit code (design, section 5)."""

import errno
import os
import sys
from collections.abc import Sequence
from typing import Final, TextIO

import click

import berthmaster
from berthmaster.cli.group import PIPE_CLOSED, LazyGroup, Sections
from berthmaster.cli.invocation import Invocation, global_options
from berthmaster.domain.errors import BerthmasterError, OutsideError

INTERRUPTED: Final = 130
NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
SECTIONS: Final[Sections] = {
    "Every day": {
        "init": "berthmaster.cli.app:init",
        "check": "berthmaster.cli.check:check",
        "plan": "berthmaster.cli.release:plan",
        "deploy": "berthmaster.cli.release:deploy",
        "rollback": "berthmaster.cli.release:rollback",
        "status": "berthmaster.cli.stack:status",
        "releases": "berthmaster.cli.releases:releases",
        "show": "berthmaster.cli.show:show",
        "logs": "berthmaster.cli.container:logs",
        "exec": "berthmaster.cli.container:exec_",
        "run": "berthmaster.cli.container:run",
        "health": "berthmaster.cli.stack:health",
    },
    "Releases and deployments": {
        "build": "berthmaster.cli.app:build",
        "diff": "berthmaster.cli.diff:diff",
        "verify": "berthmaster.cli.promotion:verify",
        "promote": "berthmaster.cli.promotion:promote",
        "rehearse": "berthmaster.cli.rehearse:rehearse",
        "approve": "berthmaster.cli.judgement:approve",
        "hold": "berthmaster.cli.judgement:hold",
        "unhold": "berthmaster.cli.judgement:unhold",
        "reject": "berthmaster.cli.judgement:reject",
        "record": "berthmaster.cli.record:record",
        "continue": "berthmaster.cli.deployment:continue_",
        "unwind": "berthmaster.cli.deployment:unwind",
        "attach": "berthmaster.cli.deployment:attach",
    },
    "Customers": {
        "tenant": "berthmaster.cli.tenant:tenant",
        "rollout": "berthmaster.cli.rollout:rollout",
    },
    "Stacks": {
        "dev": "berthmaster.cli.dev:dev",
        "secrets": "berthmaster.cli.secrets:secrets",
        "adopt": "berthmaster.cli.adopt:adopt",
        "maintenance": "berthmaster.cli.stack:maintenance",
        "destroy": "berthmaster.cli.stack:destroy",
        "compose": "berthmaster.cli.container:compose",
    },
    "Server": {
        "gateway": "berthmaster.cli.gateway:gateway",
        "domain": "berthmaster.cli.domain:domain",
        "cert": "berthmaster.cli.cert:cert",
        "server": "berthmaster.cli.server:server",
        "tick": "berthmaster.cli.server:tick",
        "completion": "berthmaster.cli.completion:completion",
    },
}
HIDDEN: Final = {"serve-request": "berthmaster.cli.serve:serve_request"}


@global_options
@click.group(
    "berth",
    cls=LazyGroup,
    sections=SECTIONS,
    hidden=HIDDEN,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A stack is [APP@]ENV[/TENANT]; leave it out when there is only one.",
)
@click.version_option(berthmaster.__version__, prog_name="berth", message="%(prog)s %(version)s")
def berth() -> None:
    """Turn the Docker Compose files you have into production on one server."""


def main(arguments: Sequence[str] | None = None, invocation: Invocation | None = None) -> int:
    """Run one command line; returns the exit code and prints every error itself."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    invocation = invocation or Invocation()
    invocation.arguments = tuple(given)
    try:
        code = berth.main(given, prog_name="berth", standalone_mode=False, obj=invocation)
        sys.stdout.flush()
    except BrokenPipeError:  # what was left in the buffer
        _speak_to_nobody(sys.stdout)
        return PIPE_CLOSED
    except Exception as error:  # every way out is one of ours
        if isinstance(error, OSError) and error.errno == errno.EIO:  # the terminal is gone
            _speak_to_nobody(sys.stdout, sys.stderr)
            return PIPE_CLOSED
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            error = _no_room(error)
        return _failed(error, invocation, given)
    except KeyboardInterrupt:
        return _failed(click.Abort(), invocation, given)
    return code if isinstance(code, int) else 0


def _no_room(error: OSError) -> OutsideError:
    """What is left of the output would fail again at the end of the program."""
    try:
        sys.stdout.flush()
    except OSError:
        _speak_to_nobody(sys.stdout)
    where = f"{error.filename} " if error.filename else "what was to be written "
    return OutsideError(
        f"{where}was not: {os.strerror(error.errno or 0)}", subject="disk", next_command="df -h -i"
    )


def _speak_to_nobody(*streams: TextIO) -> None:
    """What is still in the buffers must not fail again at the end of the program."""
    for stream in streams:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _failed(error: Exception, invocation: Invocation, given: Sequence[str]) -> int:
    try:
        return _told(error, invocation, given)
    except OSError:  # nobody is left to hear it
        _speak_to_nobody(sys.stdout, sys.stderr)
        return getattr(error, "exit_code", INTERRUPTED if isinstance(error, click.Abort) else 70)


def _told(error: Exception, invocation: Invocation, given: Sequence[str]) -> int:
    from berthmaster.cli import failure

    own = given[: given.index("--")] if "--" in given else given
    is_json = invocation.is_json or "--json" in own
    match error:
        case BerthmasterError():
            return failure.tell(error, invocation, is_json=is_json)
        case click.exceptions.Exit():
            return error.exit_code
        case click.Abort():
            return failure.tell_interrupted(is_json=is_json)
        case click.ClickException():
            return failure.tell_usage(error, is_json=is_json)
        case _:
            return failure.tell_crash(error, invocation, is_json=is_json)
