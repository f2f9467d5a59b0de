"""The catalogue: every check once, with what must hold, what to do about it, and where it is asked.

The checkers are in `services/checks`, one file for each group below. A check is overridden in
berth.yaml with `environments.<env>.policy.allow: [{check: ID, why: ...}]` unless it says why not.
"""

from dataclasses import replace
from difflib import get_close_matches
from typing import Final

from berthmaster.domain.check import Check, CheckKind, Scope, Severity

_CHANGE, _OUTSIDE, _NOTE = Severity.CHANGE, Severity.OUTSIDE, Severity.NOTE
_STRICT, _PROD = Scope.STRICT, Scope.PROD

# files
FILES: Final = CheckKind(
    "files",
    _CHANGE,
    "berth.yaml and all files that it names are there, and Compose renders them.",
    "correct the file and line that the message names",
    is_asked_by_deploy=True,
    locked_because="nothing can be deployed from files that cannot be read",
)
VARIABLES: Final = CheckKind(
    "variables",
    _CHANGE,
    "Every variable that the Compose files interpolate has a value or a default.",
    "give a value in .env.<env>, or a default: ${NAME:-...}",
    is_asked_by_deploy=True,
    locked_because="Compose would put an empty text in its place",
)
POLICY: Final = CheckKind(
    "policy",
    _CHANGE,
    "The rendered model asks for nothing that the policy refuses, `build` and mutable tags too.",
    "change the Compose file",
    is_asked_by_deploy=True,
    locked_because="it is allowed rule by rule: {service: NAME, rule: RULE, why: ...}",
)
ROLE: Final = CheckKind(
    "role",
    _CHANGE,
    "No service's role is a guess.",
    "write services.<name>.role in berth.yaml",
    _STRICT,
    is_asked_by_deploy=True,
    locked_because="a wrong guess can put two writers on one database; the role is one line",
)

# gateway
ENTRYPOINT: Final = CheckKind(
    "entrypoint",
    _CHANGE,
    "The environment's entrypoint is one of this server.",
    "set `entrypoint` of the environment, or add it to the server's settings",
    is_asked_by_deploy=True,
    locked_because="no request could reach the release",
)
GATEWAY: Final = CheckKind(
    "gateway",
    _OUTSIDE,
    "The router runs and its table equals the store's.",
    "berth gateway up",
    is_asked_by_deploy=True,
    locked_because="without the router nothing can be switched",
)
FIREWALL: Final = CheckKind(
    "firewall",
    _OUTSIDE,
    "From the address block only the entrypoints of this server answer.",
    "berth gateway up",
    is_asked_by_deploy=True,
    locked_because="a deploy mends the chain itself",
)

# images
IMAGES: Final = CheckKind(
    "images",
    _OUTSIDE,
    "Every image is found and resolved to a digest.",
    "berth build, or check the tag",
    is_asked_by_deploy=True,
    locked_because="a service cannot start without its image",
)

# host
DOCKER: Final = CheckKind(
    "docker",
    _OUTSIDE,
    "The Docker Engine answers and is of version 20.10 or newer.",
    "install Docker Engine 20.10.27 or newer",
    locked_because="nothing runs without it",
)
COMPOSE: Final = CheckKind(
    "compose",
    _OUTSIDE,
    "Docker Compose is of version 2.24 or newer.",
    "install Docker Compose 2.24 or newer",
    is_asked_by_deploy=True,
    locked_because="older ones render the files differently",
)
DISK: Final = CheckKind(
    "disk",
    _OUTSIDE,
    "The state folder's disk has more space free than the floor.",
    "free space, or lower the setting disk_floor_percent",
    is_asked_by_deploy=True,
    locked_because="the floor is a setting: disk_floor_percent",
)
ADDRESSES: Final = CheckKind(
    "addresses",
    _CHANGE,
    "The address block has a subnet left for another release.",
    "raise the setting address_block",
    is_asked_by_deploy=True,
    locked_because="a release needs a network of its own",
)

# record
LEASE: Final = CheckKind(
    "lease",
    _NOTE,
    "Nobody else changes the stack now.",
    "wait until it is done",
    is_asked_by_deploy=True,
    locked_because="two changes at once would destroy each other's work",
)
DEPLOYMENT: Final = CheckKind(
    "deployment",
    _CHANGE,
    "No earlier deployment of the stack waits for a person.",
    "berth continue dN, or berth unwind dN",
    is_asked_by_deploy=True,
    locked_because="its steps are neither done nor undone",
)

CATALOGUE: Final[tuple[CheckKind, ...]] = (
    FILES,
    VARIABLES,
    POLICY,
    ROLE,
    ENTRYPOINT,
    GATEWAY,
    FIREWALL,
    IMAGES,
    DOCKER,
    COMPOSE,
    DISK,
    ADDRESSES,
    LEASE,
    DEPLOYMENT,
)
_BY_ID: Final = {item.id: item for item in CATALOGUE}


def kind_of(check_id: str) -> CheckKind | None:
    """The catalogue's entry of an id; `policy.RULE` belongs to `policy`."""
    return _BY_ID.get(check_id.partition(".")[0])


def nearest_id(check_id: str) -> str | None:
    """The known id that is most like an unknown one."""
    return next(iter(get_close_matches(check_id, _BY_ID, n=1, cutoff=0.5)), None)


def overridden(answer: Check, why: str) -> Check:
    """The same answer, which berth.yaml accepts for this reason."""
    return replace(answer, severity=Severity.OVERRIDDEN, remedy="", why=why)
