"""Customers of an app and the names they are reached by.

A tenant is a stack of its own (`silo`), or a name inside one stack (`pool`, `header`). Hosts belong
to the stack, not to a release: a name that was added or removed counts for every release of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from berthmaster.domain.errors import NotAllowed
from berthmaster.domain.names import StackId, check_name

# Names that people take for the app's own.
RESERVED: Final = frozenset(
    {
        *("admin", "api", "app", "assets", "autodiscover", "cdn", "dashboard", "help", "localhost"),
        *(
            "login",
            "mail",
            "main",
            "ns1",
            "ns2",
            "public",
            "rehearsal",
            "root",
            "smtp",
            "staging",
            "static",
        ),
        *("status", "support", "test", "www"),
    }
)


WELL_KNOWN: Final = "/.well-known/berthmaster"  # where a name shows whose it is
RECORD: Final = "_berthmaster"  # its TXT record that does, below the host


class TenantState(StrEnum):
    """Where a tenant is in its life."""

    ACTIVE = "active"  # serves, or is on its way
    SUSPENDED = "suspended"  # visitors get the 503 page; its data stays
    REMOVED = "removed"  # a tombstone: what is needed to restore it
    RESTORING = "restoring"  # made anew, and its data is not back yet


class Proof(StrEnum):
    """Whether a domain may be routed."""

    NONE = "none"  # needs none: it is below a suffix of ours, or an operator vouched for it
    PENDING = "pending"  # its owner has not shown that it is theirs
    PROVEN = "proven"


class AlertKind(StrEnum):
    """What a person must know of a tenant before its customer does, the worst first.

    Housekeeping notes disk and end in `Watched`; the others are read anew.
    """

    HEALTH = "health"  # it does not do all that it is for
    ROLLOUT = "rollout"  # it could not take a version that others have
    DISK = "disk"  # it has more data than its size allows
    EXPIRES = "expires"  # its time is over soon


@dataclass(frozen=True, slots=True)
class Watched:
    """What housekeeping last saw of a tenant."""

    measured_at: datetime | None = None  # None: its disk was not measured yet
    disk_bytes: int | None = None
    alerts: Mapping[AlertKind, str] = field(default_factory=dict)  # open ones, in words


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer with a stack of its own."""

    stack: StackId  # app@environment/slug
    state: TenantState = TenantState.ACTIVE
    values: Mapping[str, str] = field(default_factory=dict)  # of its Compose variables
    size: str | None = None  # one of `tenancy.sizes`
    expires_at: datetime | None = None
    pinned: str | None = None  # why a rollout leaves it where it is
    labels: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    created_by: str = ""
    removed_at: datetime | None = None
    hosts: tuple[str, ...] = ()  # of a tombstone: what it was reached by, primary first
    backup: str | None = None  # of a tombstone: the final one; of a suspended one: handed over
    tag: str | None = None  # of a tombstone: what it ran, whose schema its data has
    watched: Watched = field(default_factory=Watched)  # only `set_watched` changes it

    @property
    def slug(self) -> str:
        """What people call it."""
        return self.stack.tenant or ""


@dataclass(frozen=True, slots=True)
class Domain:
    """A host of one tenant; unique over all stacks."""

    host: str
    stack: StackId  # of a pooled app: the one stack
    tenant: str | None = None
    is_primary: bool = False
    is_custom: bool = False  # the customer's own, not below a suffix of ours
    proof: Proof = Proof.NONE
    token: str = ""  # that its owner shows
    added_at: datetime | None = None
    added_by: str = ""

    @property
    def is_routed(self) -> bool:
        """Whether requests for it may be answered."""
        return self.proof is not Proof.PENDING


def tenant_hosts(domains: Iterable[Domain]) -> tuple[str, ...]:
    """The hosts that may be routed, the primary one first."""
    routed = (item for item in domains if item.is_routed)
    return tuple(
        item.host for item in sorted(routed, key=lambda one: (not one.is_primary, one.host))
    )


def new_token() -> str:
    """What an owner shows: nobody can guess it."""
    from secrets import token_hex  # and with it all of hmac, for a name in a hundred

    return token_hex(16)


def check_slug(slug: str, reserved: Iterable[str] = ()) -> str:
    """Return a name that a tenant may have; raises `InvalidName`, and `NotAllowed` for reserved."""
    check_name("tenant", slug)
    if slug in RESERVED or slug in set(reserved):
        raise NotAllowed(f"{slug} is a reserved name: no tenant may be called so")
    return slug
