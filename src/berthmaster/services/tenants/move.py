"""`berth tenant move`: a tenant from one server to another, by what both of them say of it.

Nothing of a move is recorded where it is typed: each step is seen on one of the servers, so that
the same command goes on wherever it was stopped. The old one is closed before its data is taken and
stays closed until a person says that names lead to the new one; then it is removed.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from berthmaster.domain.errors import (
    BerthmasterError,
    DeploymentFailed,
    NotAllowed,
    NotFound,
    OutsideError,
)
from berthmaster.domain.names import StackId
from berthmaster.ports.servers import Said, Servers

_GONE: Final = ("removed", "restoring")
_REFUSALS: Final = (DeploymentFailed.exit_code, NotAllowed.exit_code)


@dataclass(frozen=True, slots=True)
class Move:
    """What a person asked for."""

    stack: StackId
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A tenant as one server knows it."""

    state: str  # `up`, `suspended`, `removed`, ... as `tenant list` says it
    backup: str | None = None
    hosts: tuple[str, ...] = ()
    tag: str | None = None
    disk_bytes: int | None = None


class Phase(StrEnum):
    """How far a move is; each is left by one step."""

    HERE = "here"  # it serves on the old server only
    CLOSED = "closed"  # closed and dumped there; the new server knows nothing
    ARRIVING = "arriving"  # taken in there, and not whole yet
    ARRIVED = "arrived"  # it serves there, and is closed here
    LEFT = "left"  # the old server has a tombstone only
    DONE = "done"  # the old server knows nothing of it


@dataclass(frozen=True, slots=True)
class Found:
    """What both servers say."""

    move: Move
    phase: Phase
    old: Seen | None
    new: Seen | None

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names it is reached by, as the server that has it says."""
        seen = self.new if self.phase in (Phase.ARRIVED, Phase.LEFT, Phase.DONE) else self.old
        return seen.hosts if seen else ()


def find_move(servers: Servers, move: Move) -> Found:
    """Ask both servers how far it is; raises `NotAllowed` when that is no move that goes on."""
    if move.source == move.target:
        raise NotAllowed(f"{move.stack} is to move from {move.source} to {move.target}: the same")
    old, new = (_look(servers, server, move.stack) for server in (move.source, move.target))
    return Found(move, _phase(move, old, new), old, new)


def carry_over(
    servers: Servers, found: Found, tell: Callable[[str], None] = lambda _: None
) -> Found:
    """Do what is left of it, up to a tenant that serves on the new server.

    When the new server refuses it, the old one opens again; raises `DeploymentFailed` then.
    """
    move, phase = found.move, found.phase
    if phase in (Phase.HERE, Phase.CLOSED):
        with tempfile.TemporaryDirectory(prefix="berth-move-") as folder:
            parcel = Path(folder) / "tenant.tgz"
            words = ("tenant", "export", str(move.stack), "-", "--suspend")
            _must(move.source, words, servers.ask(move.source, *words, taken=parcel))
            size = parcel.stat().st_size
            tell(f"{move.source}  closed, and its data is taken ({size / 1e6:.1f} MB)")
            _take_in(servers, move, ("tenant", "import", "-"), parcel)
    elif phase is Phase.ARRIVING:
        _take_in(servers, move, ("tenant", "restore", str(move.stack)), None)
    return _arrived(servers, move, tell)


def finish(servers: Servers, found: Found) -> Found:
    """Remove the old one, backup and all; raises `NotAllowed` before the new one serves."""
    move = found.move
    if found.phase not in (Phase.ARRIVED, Phase.LEFT, Phase.DONE):
        raise NotAllowed(
            f"{move.stack} does not serve on {move.target} yet", next_command=_command(move)
        )
    confirmed = (str(move.stack), "--confirm", str(move.stack))
    verbs = {Phase.ARRIVED: ("remove", "forget"), Phase.LEFT: ("forget",)}.get(found.phase, ())
    for verb in verbs:
        words = ("tenant", verb, *confirmed)
        _must(move.source, words, servers.ask(move.source, *words))
    return find_move(servers, move)


def _look(servers: Servers, server: str, stack: StackId) -> Seen | None:
    said = servers.ask(server, "tenant", "show", str(stack), "--json")
    value: Any = said.value if isinstance(said.value, dict) else {}
    error = value.get("error") or {}
    if said.code and error.get("kind") == NotFound.__name__:
        return None
    if said.code or "state" not in value:
        raise NotAllowed(f"{server} does not say how {stack} is: {error.get('message', said.out)}")
    return Seen(
        value["state"],
        value.get("backup"),
        tuple(value.get("hosts") or ()),
        value.get("tag"),
        value.get("disk_bytes"),
    )


def _phase(move: Move, old: Seen | None, new: Seen | None) -> Phase:
    has_it = new is not None and new.state not in _GONE
    if old is None:
        if has_it:
            return Phase.DONE
        raise NotFound(f"{move.source} has no tenant {move.stack}")
    if old.state == "removed" and has_it:
        return Phase.LEFT
    if old.state in _GONE:
        raise NotAllowed(
            f"{move.stack} is {old.state} on {move.source}",
            next_command=f"berth -S {move.source} tenant restore {move.stack}",
        )
    if old.state != "suspended":
        return _not_begun(move, new)
    if old.backup is None:
        raise NotAllowed(
            f"{move.stack} is suspended on {move.source}, and would serve on {move.target}",
            next_command=f"berth -S {move.source} tenant unsuspend {move.stack}",
        )
    if new is None:
        return Phase.CLOSED
    if has_it:
        return Phase.ARRIVED
    if new.backup == old.backup:
        return Phase.ARRIVING
    raise _other(move)


def _not_begun(move: Move, new: Seen | None) -> Phase:
    if new is None:
        return Phase.HERE
    if new.state in _GONE:
        raise _other(move)
    raise NotAllowed(
        f"{move.stack} serves on {move.source} and is known on {move.target} too",
        next_command=f"berth -S {move.target} tenant show {move.stack}",
    )


def _other(move: Move) -> NotAllowed:
    """The new server keeps another state of its data, which must not come back by mistake."""
    return NotAllowed(
        f"{move.target} keeps older data of {move.stack}",
        next_command=f"berth -S {move.target} tenant forget {move.stack}",
    )


def _take_in(servers: Servers, move: Move, words: tuple[str, ...], parcel: Path | None) -> None:
    said = servers.ask(move.target, *words, given=parcel)
    if said.code == 0:
        return
    if said.code not in _REFUSALS:  # it may be busy with it, on behalf of whoever was cut off
        raise OutsideError(
            f"{move.target} did not come to an end with {move.stack} (exit {said.code});"
            f" {move.source} keeps it closed",
            subject=move.target,
            next_command=_command(move),
        )
    words_back = ("tenant", "unsuspend", str(move.stack))
    back = servers.ask(move.source, *words_back)
    serves = "serves it again" if back.code == 0 else "does NOT serve it"
    raise DeploymentFailed(
        f"{move.target} refused {move.stack} (exit {said.code}); {move.source} {serves}",
        next_command=f"berth -S {move.target} tenant forget {move.stack}, then {_command(move)}"
        if back.code == 0
        else f"berth -S {move.source} {' '.join(words_back)}",
    )


def _arrived(servers: Servers, move: Move, tell: Callable[[str], None]) -> Found:
    """What the new server says now; the import has probed it through the gateway."""
    found = find_move(servers, move)
    new = found.new
    if found.phase not in (Phase.ARRIVED, Phase.LEFT, Phase.DONE) or new is None:
        raise DeploymentFailed(f"{move.stack} is not whole on {move.target}: {found.phase.value}")
    if new.state != "up":
        raise DeploymentFailed(
            f"{move.stack} is {new.state} on {move.target}",
            next_command=f"berth -S {move.target} health {move.stack}",
        )
    tell(f"{move.target}  serves it: {', '.join(new.hosts)}  ({new.tag})")
    return found


def _must(server: str, words: tuple[str, ...], said: Said) -> None:
    if said.code:
        error: BerthmasterError = NotAllowed(
            f"{server} refused `berth {' '.join(words)}` (exit {said.code}); it said why above"
        )
        raise error


def _command(move: Move) -> str:
    return f"berth tenant move {move.stack} --from {move.source} --to {move.target}"
