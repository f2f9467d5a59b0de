"""The server's own memory: stacks, releases, deployments, journal, leases, addresses.

Synchronous, unlike every other port: it is one local SQLite file with sub-millisecond calls, and a
write that could be interleaved with another coroutine would not be the write-ahead record it must
be.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from berthmaster.domain.names import StackId
from berthmaster.ports.tenancy import TenancyStore

if TYPE_CHECKING:
    from berthmaster.domain.deployment import (
        Deployment,
        DeploymentState,
        JournalRow,
        Lease,
        StepState,
    )
    from berthmaster.domain.judgement import Judgement
    from berthmaster.domain.plan import Plan
    from berthmaster.domain.release import Release
    from berthmaster.domain.releasestate import ReleaseState
    from berthmaster.domain.routing import Doorway
    from berthmaster.domain.spec import Overlay, RetentionSpec


@dataclass(frozen=True, slots=True)
class StackRecord:
    """A stack as the inventory knows it."""

    id: StackId
    folder: str  # of its berth.yaml
    live: int | None  # number of the live release
    is_in_maintenance: bool = False
    held_because: str | None = None


@dataclass(frozen=True, slots=True)
class ReleaseSummary:
    """What `status` and `releases` need, without reading the whole record."""

    stack: StackId
    number: int
    state: "ReleaseState"
    artifact: str
    tag: str | None
    revision: str | None
    created_at: datetime
    created_by: str
    warm_until: datetime | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the audit trail: who, what, when, from where."""

    at: datetime
    actor: str
    stack: str | None
    what: str  # past tense: `release_switched`
    detail: str = ""


class Store(TenancyStore, Protocol):
    """One writer; a change that needs a lease carries its `fence`: a stale one raises `LeaseLost`.

    A store that is locked, full or damaged raises `OutsideError` on writes; reads keep working.
    """

    # stacks
    def stacks(self) -> tuple[StackRecord, ...]: ...
    def stack(self, stack: StackId) -> StackRecord | None: ...
    def add_stack(self, stack: StackId, folder: str) -> None:
        """Idempotent; raises `NotAllowed` when another stack has the same project name."""
        ...

    def set_maintenance(self, stack: StackId, is_on: bool) -> None: ...
    def set_hold(self, stack: StackId, because: str | None) -> None:
        """Automation may not move a held stack; None lifts the hold."""
        ...

    def forget_stack(self, stack: StackId) -> None:
        """Remove its releases and ended deployments; events and an unfinished deployment stay."""
        ...

    # releases
    def next_release_number(self, stack: StackId) -> int:
        """Numbers are never given twice, not even after a failure."""
        ...

    def give_number_back(self, stack: StackId, number: int) -> None:
        """Only the newest number, and only when no release was ever recorded under it."""
        ...

    def add_release(self, release: "Release") -> None: ...
    def rewrite_release(self, release: "Release") -> None:
        """Replace a record whose images are known by other names on this server; state stays.

        Raises `NotFound` when there is no such record.
        """
        ...

    def release(self, stack: StackId, number: int) -> "Release | None":
        """The whole record; that of a tenant with the hosts that the tenant has now."""
        ...

    def releases(self, stack: StackId) -> tuple[ReleaseSummary, ...]:
        """Newest first."""
        ...

    def doorway(self, stack: StackId) -> "Doorway | None":
        """Where the live release takes its visitors in, without reading the rest of its record.

        None when nothing is live, or when it has no routes.
        """
        ...

    def overlay(self, stack: StackId) -> "Overlay":
        """What the live release lays over `berth.yaml`, without reading the rest of its record."""
        ...

    def retention(self, stack: StackId) -> "RetentionSpec | None":
        """What the newest release says about it, without reading the rest of the record."""
        ...

    def releases_in(self, *states: "ReleaseState") -> tuple[ReleaseSummary, ...]:
        """Of all stacks at once: live ones for `status`, warm ones for `tick`; no state: all."""
        ...

    def live_releases(self) -> tuple[ReleaseSummary, ...]:
        """One for each stack that serves."""
        ...

    def asked_apps(self) -> "tuple[Release, ...]":
        """Live releases of apps that say themselves which names they know."""
        ...

    def release_records(self) -> "Iterator[Release]":
        """Every kept release in full, one at a time: what garbage collection may not touch."""
        ...

    def mark_live(
        self,
        stack: StackId,
        number: int,
        *,
        old: int | None,
        warm_until: datetime | None,
        fence: int,
    ) -> None:
        """In one transaction: this release live, the old one warm, every other state as it was."""
        ...

    def set_release_state(self, stack: StackId, number: int, state: "ReleaseState") -> None: ...
    def remove_release(self, stack: StackId, number: int) -> None:
        """Raises `Bug` for the live one and for one that a state service was started by."""
        ...

    def keep_state_only(self, release: "Release") -> None:
        """Replace a record by this part of it, which state services run by; it is no release now.

        Gives back what the release held of the router's pool. Raises `Bug` for the live one.
        """
        ...

    # state services
    def applied_states(self, stack: StackId) -> Mapping[str, int]:
        """By service: the release whose state model was applied last, on purpose."""
        ...

    def record_states(
        self, stack: StackId, release: int, services: Sequence[str], *, fence: int
    ) -> None:
        """Note that these state services were started by this release's record.

        A release that never served becomes `ReleaseState.STATE`: the record of a state change.
        """
        ...

    # deployments and journal
    def open_deployment(
        self,
        stack: StackId,
        *,
        verb: str,
        plan: "Plan",
        release: int | None,
        actor: str,
        fence: int,
    ) -> "Deployment":
        """At most one unfinished deployment per stack exists; a second raises `NotAllowed`."""
        ...

    def change_state(
        self,
        deployment_id: int,
        old: "DeploymentState",
        new: "DeploymentState",
        *,
        fence: int,
        error: str = "",
    ) -> None:
        """Guarded update through `check_transition`; zero rows raise `LeaseLost`."""
        ...

    def deployment(self, deployment_id: int) -> "Deployment | None": ...
    def deployments(self, stack: StackId | None, limit: int = 20) -> "tuple[Deployment, ...]": ...
    def unfinished(self) -> "tuple[Deployment, ...]": ...
    def journal(self, deployment_id: int) -> "tuple[JournalRow, ...]": ...
    def write_journal(
        self, deployment_id: int, step: int, state: "StepState", *, fence: int, detail: str = ""
    ) -> None: ...

    # leases
    def acquire_lease(self, name: str, *, holder: str, seconds: float) -> "Lease":
        """Raises `LeaseHeld` unless free, expired, or held by a dead process of this machine."""
        ...

    def renew_lease(self, lease: "Lease", *, seconds: float, step: str | None = None) -> "Lease":
        """Raises `LeaseLost` when it went to somebody else."""
        ...

    def release_lease(self, lease: "Lease") -> None: ...
    def lease(self, name: str) -> "Lease | None": ...

    # addresses
    def reserve_subnets(self, owners: Sequence[str], *, taken: Sequence[str]) -> dict[str, str]:
        """A free subnet of the block for each owner (network name), avoiding `taken`.

        The same again when it has one. Raises `NoAddressLeft`.
        """
        ...

    def free_subnet(self, owner: str) -> None: ...
    def subnets(self) -> dict[str, str]: ...
    def reserve_slots(self, owner: str, count: int) -> tuple[int, ...]:
        """Slots of the router's pool for a release key; the same again when it has them."""
        ...

    def free_slots(self, owner: str) -> None: ...

    # audit
    def record(self, event: Event) -> None: ...
    def events(self, stack: StackId | None, limit: int = 50) -> tuple[Event, ...]: ...

    def last_event(self, *whats: str) -> Event | None:
        """The newest event of these kinds."""
        ...

    # judgements
    def judge(self, judgement: "Judgement") -> None:
        """Add one; none is ever changed or removed."""
        ...

    def judgements(self, app: str, *, artifact: str | None = None) -> "tuple[Judgement, ...]":
        """Of an app, or of one artifact of it, newest first."""
        ...

    def transaction(self) -> AbstractContextManager[None]: ...
    def snapshot(self, path: Path) -> None:
        """Copy the store while it is in use, mode 0600; `path` appears whole or not at all."""
        ...

    def keep_snapshot(self) -> Path | None:
        """Copy the store beside itself, of which a bounded number is kept; None without a file.

        Raises `OutsideError` when the disk does not take it.
        """
        ...

    def check(self) -> tuple[str, ...]:
        """Look for damage, page by page.

        Empty when there is none. For `berth health`, not for each start.
        """
        ...

    def close(self) -> None: ...
