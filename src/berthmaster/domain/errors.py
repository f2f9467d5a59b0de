"""The one tree of errors; each says what happened and the next command.

    BerthmasterError
      UserError            the request cannot be done; says what to change          exit 2
        InvalidSpec  InvalidName  NotFound  NotAllowed  StalePlan
      DeploymentFailed     the release is bad: probe, gate, migration               exit 1
      OutsideError         Docker, gateway, registry, database; retryable, subject  exit 3
        RuntimeUnavailable  ImageNotFound  ComposeFailed  GatewayRefused  NoAddressLeft
      LeaseHeld            somebody else changes this stack: holder, age, step      exit 4
      Interrupted          Ctrl-C or SIGTERM; the work was unwound                  exit 130
      Bug                  an invariant is broken                                   exit 70

Adapters turn foreign exceptions into `OutsideError`; a retry is decided by its field, never by
matching text.
"""

from typing import ClassVar


class BerthmasterError(Exception):
    """Anything Berthmaster reports to a person; `next_command` is what to type now."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, next_command: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_command = next_command


class UserError(BerthmasterError):
    """The request cannot be done as asked."""

    exit_code = 2


class InvalidSpec(UserError):
    """A file says something that cannot be; `location` is `file:line` where it is known."""

    def __init__(
        self, message: str, *, location: str | None = None, next_command: str | None = None
    ) -> None:
        super().__init__(
            f"{location}: {message}" if location else message, next_command=next_command
        )
        self.location = location


class InvalidName(UserError):
    """A name, domain, path, tag or key breaks its strict type."""


class NotFound(UserError):
    """What was asked for is not there."""


class NotAllowed(UserError):
    """A policy forbids it."""


class StalePlan(UserError):
    """The world moved since the plan was made."""


class DeploymentFailed(BerthmasterError):
    """The release is bad; what ran before still runs unless the message says otherwise."""

    exit_code = 1


class OutsideError(BerthmasterError):
    """Something outside failed: `subject` names it, `retryable` says whether to try again."""

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        subject: str,
        retryable: bool = False,
        next_command: str | None = None,
    ) -> None:
        super().__init__(message, next_command=next_command)
        self.subject = subject
        self.retryable = retryable


class RuntimeUnavailable(OutsideError):
    """The Docker Engine does not answer."""


class ImageNotFound(OutsideError):
    """No registry and no local engine has this image."""


class ComposeFailed(OutsideError):
    """`docker compose` ended with an error."""


class GatewayRefused(OutsideError):
    """The router or the edge did not accept a change."""


class NoAddressLeft(OutsideError):
    """The address block or the backend pool is used up."""


class LeaseHeld(BerthmasterError):
    """Somebody else changes this stack right now."""

    exit_code = 4

    def __init__(self, message: str, *, holder: str, age_seconds: float, step: str | None) -> None:
        super().__init__(message)
        self.holder = holder
        self.age_seconds = age_seconds
        self.step = step


class LeaseLost(LeaseHeld):
    """The lease went to somebody else while we worked; nothing more may be written."""


class Interrupted(BerthmasterError):
    """A person or the system asked the run to stop; it was unwound."""

    exit_code = 130


class Bug(BerthmasterError):
    """An invariant is broken: please report it."""

    exit_code = 70
