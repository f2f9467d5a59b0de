"""What ssh says when it cannot, as errors with a remedy."""

from typing import Final

from berthmaster.domain.errors import BerthmasterError, LeaseHeld, NotFound, OutsideError, UserError

NOT_FOUND: Final = 127  # of a shell that knows no such program
SSH_FAILED: Final = 255
NOT_ASKED: Final = 1  # of `serve-request` when no request came
_BUSY: Final = ("kex_exchange_identification", "Connection reset by", "Session open refused")


class HostKeyWrong(OutsideError):
    """Whoever answers is not, or is not known to be, the server that is meant."""


class HostKeyUnknown(HostKeyWrong):
    """Nobody has confirmed this server's key yet."""


class ServerUnreachable(OutsideError):
    """ssh brought no connection about."""


class ConnectionLost(OutsideError):
    """The connection ended while a command ran there; the command goes on."""


def not_installed(program: str, error: OSError) -> OutsideError:
    """This machine has no ssh."""
    if isinstance(error, FileNotFoundError):
        return OutsideError(
            f"{program} is not on PATH: install OpenSSH's client",
            subject="ssh",
            next_command="apt-get install openssh-client",
        )
    return OutsideError(f"{program} cannot be started: {error.strerror}", subject="ssh")


def is_busy(said: str) -> bool:
    """Whether another try may help: too many were connecting at once (`MaxStartups`)."""
    return any(text in said for text in _BUSY)


def explain(server: str, code: int | None, said: str) -> BerthmasterError:
    """Why there was no answer of ours from a server; `said` is what ssh wrote."""
    last = (said.strip().splitlines() or ["it said nothing"])[-1][:300]
    if "HOST IDENTIFICATION HAS CHANGED" in said or "REVOKED HOST KEY" in said:
        return HostKeyWrong(
            f"the host key of {server} is not the one that is known: nothing was sent."
            " Either the server was set up anew, or somebody else answers",
            subject=server,
            next_command=f"ask who runs {server} for its fingerprint, then: ssh-keygen -R HOST",
        )
    if "Host key verification failed" in said or "host key is known" in said:
        return HostKeyUnknown(
            f"the host key of {server} is not known: nothing was sent",
            subject=server,
            next_command=f"berth server add {server} ADDRESS, which keeps its fingerprint",
        )
    if "Permission denied" in said:
        return ServerUnreachable(
            f"{server} takes none of your keys: {last}",
            subject=server,
            next_command="ssh-add, or IdentityFile in ~/.ssh/config; no password is ever asked for",
        )
    if code == NOT_FOUND:
        return NotFound(
            f"{server} has no berth: {last}",
            next_command=f"berth server add {server} ADDRESS",
        )
    if code in (None, SSH_FAILED):
        return ServerUnreachable(
            f"{server} cannot be reached: {last}", subject=server, retryable=True
        )
    if code == NOT_ASKED and not said.strip():
        return UserError(
            f"{server} lets your key start Berthmaster and nothing else: no more can be seen",
            next_command=f"berth -S {server} status",
        )
    return UserError(
        f"what answers on {server} does not understand this one: it is older or broken ({last})",
        next_command=f"berth server upgrade {server}",
    )


def of_reply(server: str, found: dict[str, object]) -> BerthmasterError:
    """The error that the far side told, with the same exit code."""
    message, code = f"{server}: {found.get('message')}", found.get("exit_code")
    following = found.get("next_command")
    named = str(following).replace("SERVER", server) if following else None
    if code == UserError.exit_code:
        return UserError(message, next_command=named)
    if code == LeaseHeld.exit_code:
        return LeaseHeld(message, holder="", age_seconds=0.0, step=None)
    return OutsideError(message, subject=server, next_command=named)


def lost(server: str) -> ConnectionLost:
    """What to say when the connection ended under a running command."""
    return ConnectionLost(
        f"the connection to {server} is lost; what was begun there goes on",
        subject=server,
        retryable=True,
        next_command=f"berth -S {server} attach",
    )
