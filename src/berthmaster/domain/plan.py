"""A plan is data: frozen actions in order, each with its cause and its undo.

Names and addresses are decided while planning, so an action never looks anything up to know what
it is about, and its undo needs no memory. Doing an action twice equals doing it once, and an undo
does no harm when nothing happened (a failed call is often one that worked and was not heard).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from berthmaster.domain.names import StackId
from berthmaster.domain.probing import Probe
from berthmaster.domain.release import ReleaseNetwork
from berthmaster.domain.routing import HostClaim
from berthmaster.domain.takeover import Redirected, TakenPort, Takeover


@dataclass(frozen=True, slots=True)
class PullImage:
    """Bring an image to the engine; kept images are retention's business, so there is no undo."""

    runs_as: str
    reference: str


@dataclass(frozen=True, slots=True)
class CreateNetwork:
    network: ReleaseNetwork
    stack: StackId
    release: int | None  # None: the stack's own network


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    name: str


@dataclass(frozen=True, slots=True)
class JoinNetwork:
    """Let a running container of somebody else's project join a network of ours too.

    It is neither restarted nor changed otherwise; it is known by the id that was recorded.
    """

    network: str
    container: str  # id
    aliases: tuple[str, ...] = ()
    address: str | None = None


@dataclass(frozen=True, slots=True)
class LeaveNetwork:
    """Take a container out of a network of ours; one that is gone has left."""

    network: str
    container: str  # id


@dataclass(frozen=True, slots=True)
class CreateVolume:
    """Volumes hold data: nothing but `RemoveVolume`, asked for by name, removes them."""

    name: str
    stack: StackId


@dataclass(frozen=True, slots=True)
class RemoveVolume:
    name: str


@dataclass(frozen=True, slots=True)
class PlaceFiles:
    """Write a release's files, secret copies and sites to their folders.

    With `is_state` those that state services mount, to the stack's own folder: what is there stays.
    """

    stack: StackId
    release: int
    is_state: bool = False


@dataclass(frozen=True, slots=True)
class RemoveFiles:
    stack: StackId
    release: int


@dataclass(frozen=True, slots=True)
class StartState:
    """Start state services in the stack's own project, by the release's state model."""

    stack: StackId
    release: int
    services: tuple[str, ...]
    containers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordStates:
    """Record that these state services run by this release's state model, on purpose."""

    stack: StackId
    release: int
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StartServices:
    """Start app services of a release in its own project; `services` are keys of the rendered
    model.
    """

    stack: StackId
    release: int
    services: tuple[str, ...]
    containers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StartContainers:
    """Start containers that exist and were stopped.

    One that still runs may be stopping: an engine goes on with a stop whose caller was killed, and
    a start does nothing until it ends. With `stop_seconds` that end is waited for first.
    """

    containers: tuple[str, ...]
    stop_seconds: float = 0.0  # limit of the stop that this undoes


@dataclass(frozen=True, slots=True)
class StopContainers:
    """Stop gracefully: SIGTERM, then SIGKILL after `timeout_seconds`."""

    containers: tuple[str, ...]
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class RemoveContainers:
    """Stop gracefully and remove, with their anonymous volumes; what is not there is fine."""

    containers: tuple[str, ...]
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class AwaitReady:
    """The gate (D6): digest, restart count, healthcheck, then a probe at the container's own
    address.
    """

    stack: StackId
    release: int
    services: tuple[str, ...]
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Smoke:
    """Ask the declared conditions of the new release itself, or the public way."""

    stack: StackId
    release: int
    is_public: bool = False


@dataclass(frozen=True, slots=True)
class TakeRestorePoint:
    """Dump a database from inside its container, verified before it counts."""

    stack: StackId
    release: int
    service: str
    container: str
    name: str


@dataclass(frozen=True, slots=True)
class RestoreDatabase:
    """Restore one database of a restore point into a new one beside it, and verify it."""

    stack: StackId
    container: str
    point: str  # name of the restore point
    database: str
    into: str  # name of the new database


@dataclass(frozen=True, slots=True)
class DropDatabase:
    """Remove a database that `RestoreDatabase` made."""

    container: str
    database: str


@dataclass(frozen=True, slots=True)
class SwapDatabase:
    """Give `new` the name of `database`, which is kept as `kept`; swapped back by an undo."""

    container: str
    database: str
    new: str
    kept: str


@dataclass(frozen=True, slots=True)
class SetPassword:
    """Give a database's own user the password that a release's record has for the service."""

    stack: StackId
    release: int
    service: str
    container: str


@dataclass(frozen=True, slots=True)
class RunJob:
    """Run a job's container once and wait for exit code 0; a finished one is not run again.

    With `beside` the release that serves meanwhile is watched: a job that locks it out is stopped.
    """

    stack: StackId
    release: int
    job: str
    service: str  # key in the rendered model
    container: str
    timeout_seconds: float
    beside: int | None = None
    points: tuple[str, ...] = ()  # restore points taken before it


@dataclass(frozen=True, slots=True)
class RemoveJob:
    """Stop a job's container, end what it still does in the stack's databases, and remove it."""

    stack: StackId
    release: int
    container: str
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class AttachRelease:
    """Put a release's upstreams and prefixes into the router; no request goes there yet."""

    stack: StackId
    release: int
    slots: tuple[int, ...]  # of the router's pool, one for each route with upstreams


@dataclass(frozen=True, slots=True)
class DetachRelease:
    stack: StackId
    release: int


@dataclass(frozen=True, slots=True)
class ClaimHosts:
    claims: tuple[HostClaim, ...]


@dataclass(frozen=True, slots=True)
class ReleaseHosts:
    claims: tuple[HostClaim, ...]


@dataclass(frozen=True, slots=True)
class Switch:
    """Point the stack's routes at another release: one change in the router."""

    stack: StackId
    old: int | None
    new: int | None


@dataclass(frozen=True, slots=True)
class ProbeGateway:
    """Ask through the gateway until the new release answers on every host."""

    stack: StackId
    release: int
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Watch:
    """Watch the new release; a death, a restart or failed probes turn back."""

    stack: StackId
    release: int
    seconds: float


@dataclass(frozen=True, slots=True)
class MarkLive:
    """Record that `release` is live and the old one warm: the point of no return."""

    stack: StackId
    release: int
    old: int | None
    warm_seconds: float


@dataclass(frozen=True, slots=True)
class Drain:
    """Wait until nothing is in flight to a release; what is left after the limit is counted."""

    stack: StackId
    release: int
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class MarkRetired:
    stack: StackId
    release: int


@dataclass(frozen=True, slots=True)
class SetMaintenance:
    stack: StackId
    is_on: bool


@dataclass(frozen=True, slots=True)
class TakePorts:
    """Bring the gateway to what is taken from somebody's own proxy; None gives all of it up.

    Until the takeover `listens` the gateway only says the new ports in its links.
    """

    takeover: Takeover | None


@dataclass(frozen=True, slots=True)
class RedirectPorts:
    """Lead new connections to these ports to others of this host; none: all go where they go."""

    ports: tuple[Redirected, ...]


@dataclass(frozen=True, slots=True)
class ProbePorts:
    """Ask every host at the ports that visitors dial until this release answers."""

    stack: StackId
    release: int
    ports: tuple[TakenPort, ...]
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class DrainProxy:
    """Wait until nobody is connected to somebody's own proxy; after the limit it goes on."""

    container: str  # id
    inside: tuple[int, ...]  # ports in the container
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class StopProxy:
    """Stop somebody's own proxy gracefully, and have the engine leave it stopped."""

    container: str  # id
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class StartProxy:
    """Start it again as it was, and wait until it listens on every port that it had.

    A stop that is under way is waited for first, at most `stop_seconds`. Some listen before they
    know whom they answer: `asks` are put to it, by the ports of the host, until it answers them.
    """

    container: str  # id
    restart: str  # policy that it had
    inside: tuple[int, ...]
    stop_seconds: float
    timeout_seconds: float
    asks: tuple[Probe, ...] = ()


@dataclass(frozen=True, slots=True)
class ForgetStack:
    """Remove the stack's records; only its tombstone in the audit trail stays."""

    stack: StackId


Action = (
    PullImage
    | CreateNetwork
    | RemoveNetwork
    | JoinNetwork
    | LeaveNetwork
    | CreateVolume
    | RemoveVolume
    | PlaceFiles
    | RemoveFiles
    | StartState
    | RecordStates
    | StartServices
    | StartContainers
    | StopContainers
    | RemoveContainers
    | AwaitReady
    | Smoke
    | TakeRestorePoint
    | RestoreDatabase
    | DropDatabase
    | SwapDatabase
    | SetPassword
    | RunJob
    | RemoveJob
    | AttachRelease
    | DetachRelease
    | ClaimHosts
    | ReleaseHosts
    | Switch
    | ProbeGateway
    | Watch
    | MarkLive
    | Drain
    | MarkRetired
    | SetMaintenance
    | TakePorts
    | RedirectPorts
    | ProbePorts
    | DrainProxy
    | StopProxy
    | StartProxy
    | ForgetStack
)


@dataclass(frozen=True, slots=True)
class Step:
    """A node of the plan; `needs` are the numbers of the steps that come before."""

    number: int
    needs: tuple[int, ...]
    subject: str  # `web r7`
    what: str  # `start`, in words
    cause: str
    action: Action
    undo: Action | None = None
    undo_text: str = "-"
    is_forward_only: bool = False  # after the point of no return


@dataclass(frozen=True, slots=True)
class Gap:
    """Seconds in which the stack goes without something, as far as the plan knows."""

    what: str  # `no consumer (worker)`
    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """What happens to one service, for the plan's table."""

    name: str
    role: str
    reason: str
    change: str  # start, replace, leave alone, never run


@dataclass(frozen=True, slots=True)
class Plan:
    """What will happen, in order; compared and printed as text."""

    stack: StackId
    verb: str
    old: int | None
    new: int | None
    based_on: str  # what was observed, as a hash: apply refuses a stale plan
    steps: tuple[Step, ...]
    services: tuple[ServiceLine, ...] = ()
    gaps: tuple[Gap, ...] = ()
    routes: tuple[str, ...] = ()  # in words
    dropped: tuple[str, ...] = ()  # ports, names, networks that the Compose files ask for
    two_writers: tuple[str, ...] = ()  # volumes that two releases write during the overlap
    notes: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()  # of checks and policy rules, each with its reason
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps
