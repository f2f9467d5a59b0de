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
TRACKED: Final = CheckKind(
    "tracked",
    _CHANGE,
    "Every file that a deploy reads is committed, and as committed.",
    "git add, git commit",
    _PROD,
    is_asked_by_deploy=True,
)
VERSIONS: Final = CheckKind(
    "versions",
    _CHANGE,
    "Images that `versions.env` manages have their version from there.",
    "write ${NAME_VERSION} as the tag",
    _STRICT,
    is_asked_by_deploy=True,
)

# settings of the app
DEBUG: Final = CheckKind(
    "debug",
    _CHANGE,
    "No app service has its debug switch on.",
    "take the switch out, or set it to false",
    _STRICT,
    is_asked_by_deploy=True,
)
ALLOWED_HOSTS: Final = CheckKind(
    "allowed_hosts",
    _CHANGE,
    "No list of allowed hosts holds a star.",
    "list the hosts, a suffix with a leading dot",
    _STRICT,
    is_asked_by_deploy=True,
)
CORS: Final = CheckKind(
    "cors",
    _CHANGE,
    "No cross-origin rule allows every site.",
    "list the origins",
    _STRICT,
    is_asked_by_deploy=True,
)
APP_ENV: Final = CheckKind(
    "app_env",
    _CHANGE,
    "`DJANGO_ENV`, `APP_ENV` and their like say production; outside it also staging.",
    "set it to production",
    _STRICT,
    is_asked_by_deploy=True,
)
LOGGING: Final = CheckKind(
    "logging",
    _CHANGE,
    "Every service's logs are turned over.",
    "set logging.options.max-size and max-file, or take `logging` out: 3 files of 10 MB then",
    _STRICT,
    is_asked_by_deploy=True,
)
DATABASE_TLS: Final = CheckKind(
    "database_tls",
    _CHANGE,
    "Database settings ask for TLS: `DB_SSLMODE` is neither empty nor `disable`.",
    "use require, or verify-full",
    _PROD,
    is_asked_by_deploy=True,
)

# gateway
ENTRYPOINT: Final = CheckKind(
    "entrypoint",
    _CHANGE,
    "The environment's entrypoint is one of this server.",
    "set `entrypoint` of the environment, or add it to the server's settings",
    _STRICT,
    is_asked_by_deploy=True,
    locked_because="no request could reach the release",
)
GATEWAY: Final = CheckKind(
    "gateway",
    _OUTSIDE,
    "The router runs and its table equals the store's.",
    "berth gateway up",
    _STRICT,
    is_asked_by_deploy=True,
    locked_because="without the router nothing can be switched",
)
FIREWALL: Final = CheckKind(
    "firewall",
    _OUTSIDE,
    "From the address block only the entrypoints of this server answer.",
    "berth gateway up",
    _STRICT,
    is_asked_by_deploy=True,
    locked_because="a deploy mends the chain itself",
)
ENTRYPOINT_PORT: Final = CheckKind(
    "entrypoint_port",
    _OUTSIDE,
    "The entrypoint's port is the gateway's, or free for it.",
    "stop the owner, or give the entrypoint another port in the server's settings",
    _STRICT,
    locked_because="two programs cannot listen on one port",
)
HOSTS: Final = CheckKind(
    "hosts",
    _CHANGE,
    "No other stack answers the environment's hosts on its entrypoint.",
    "take the host out of one of the two",
    _STRICT,
    is_asked_by_deploy=True,
    locked_because="a request can go to one stack only",
)
DOMAINS: Final = CheckKind(
    "domains",
    _CHANGE,
    "Every tenant's domain keeps the policy: suffix, forbidden parts, one primary each, no double.",
    "berth domain check",
    _PROD,
    is_asked_by_deploy=True,
)
DNS: Final = CheckKind(
    "dns",
    _OUTSIDE,
    "Every host has an address.",
    "add an A or AAAA record, or wait for it",
    _STRICT,
)
CERTIFICATE: Final = CheckKind(
    "certificate",
    _OUTSIDE,
    "The certificate that visitors are shown is for the host, and renewed in time.",
    "docs/how-to/tls.md",
    _STRICT,
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
ARCHITECTURE: Final = CheckKind(
    "architecture",
    _CHANGE,
    "Every image exists for this machine's architecture.",
    "build it for this architecture too",
    _STRICT,
)
IMAGE_SPACE: Final = CheckKind(
    "image_space",
    _OUTSIDE,
    "The images to be pulled fit onto the disk above its floor.",
    "remove what no kept release needs: berth tick",
    _STRICT,
)
HEALTHCHECK: Final = CheckKind(
    "healthcheck",
    _NOTE,
    "Every app service has a healthcheck.",
    "write `healthcheck` in the Compose file",
    _STRICT,
)
HEALTHCHECK_TOOL: Final = CheckKind(
    "healthcheck_tool",
    _CHANGE,
    "The programs that healthchecks start are in their images.",
    "install the program in the image, or use one that is there",
    _STRICT,
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
    _STRICT,
    is_asked_by_deploy=True,
    locked_because="a release needs a network of its own",
)
INODES: Final = CheckKind(
    "inodes",
    _OUTSIDE,
    "The state folder's disk has more inodes free than the floor.",
    "remove files, or lower the setting disk_floor_percent",
    is_asked_by_deploy=True,
    locked_because="the floor is a setting: disk_floor_percent",
)
MEMORY: Final = CheckKind(
    "memory",
    _OUTSIDE,
    "The new release has the memory that it may use beside the old one.",
    "lower the limits, or free memory",
    _STRICT,
)
CLOCK: Final = CheckKind(
    "clock",
    _OUTSIDE,
    "The clock has not gone back, and something keeps it right.",
    "start a time service: systemd-timesyncd, chrony",
)

# data
DATABASE_MAJOR: Final = CheckKind(
    "database_major",
    _CHANGE,
    "A database's image is of the major version that its volume's data is of.",
    "name the version that the data is of; docs/how-to/change-a-database.md",
    _STRICT,
    locked_because="another major version does not open the data, or changes it for good",
)
BACKUP: Final = CheckKind(
    "backup",
    _CHANGE,
    "The newest restore point of a live database is at most 7 days old.",
    "docs/how-to/restore-points.md",
    _PROD,
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

# secrets
KEYS: Final = CheckKind(
    "secrets_set",
    _CHANGE,
    "Every secret that a service asks for has a value, and all that config.required names.",
    "berth secrets init ENV",
    is_asked_by_deploy=True,
    locked_because="a container would start without it; an optional one has a default: ${NAME:-}",
)
PLACEHOLDERS: Final = CheckKind(
    "secret_placeholder",
    _CHANGE,
    "No secret is a placeholder, or a default that stands in a Compose file.",
    "berth secrets rotate ENV NAME",
    _STRICT,
    is_asked_by_deploy=True,
    locked_because="everybody knows it",
)
STRENGTH: Final = CheckKind(
    "secret_strength",
    _CHANGE,
    "Secrets are long and hard to guess: 16 characters, keys 50, and 64 bits.",
    "berth secrets rotate ENV NAME",
    _STRICT,
    is_asked_by_deploy=True,
)
FORMATS: Final = CheckKind(
    "secret_format",
    _CHANGE,
    "Values look like what they are: pk_live_, whsec_, URL, DSN, PEM.",
    "berth secrets set ENV NAME",
    is_asked_by_deploy=True,
)
PERMISSIONS: Final = CheckKind(
    "secret_permissions",
    _CHANGE,
    "Files that hold secrets have mode 0600 or less and belong to root, to who runs this, or to"
    " the app's folder's owner.",
    "chmod 600 FILE",
    is_asked_by_deploy=True,
    locked_because="one chmod mends it",
)
SHARED: Final = CheckKind(
    "secret_shared",
    _CHANGE,
    "No secret has the same value as one of another environment.",
    "berth secrets rotate ENV NAME, or give the reason: secrets.NAME.shared",
    _STRICT,
    is_asked_by_deploy=True,
)
ONE_PLACE: Final = CheckKind(
    "secret_twice",
    _CHANGE,
    "No variable stands both in the secrets folder and in an env file.",
    "take it out of the env file",
    is_asked_by_deploy=True,
    locked_because="one of the two values would silently win",
)
EXPIRY: Final = CheckKind(
    "secret_expiry",
    _CHANGE,
    "Certificates among the secrets are valid for at least 30 days more.",
    "berth secrets rotate ENV NAME",
    is_asked_by_deploy=True,
)
VAULT: Final = CheckKind(
    "secret_vault",
    _OUTSIDE,
    "The key file opens the secrets of recorded releases, and only its owner may read it.",
    "put the key file back from the backup",
    is_asked_by_deploy=True,
    locked_because="no recorded release could run again",
)

# between environments, and people
MIRROR: Final = CheckKind(
    "mirror",
    _CHANGE,
    "An environment differs from the one it mirrors only as listed (`stage` mirrors `prod`).",
    "make them alike, or list it under environments.<env>.intended",
    _STRICT,
)
PERMIT: Final = CheckKind(
    "permit",
    _CHANGE,
    "The stack is neither held nor frozen.",
    "wait until it ends, or deploy with --despite WHY",
    is_asked_by_deploy=True,
    locked_because="`--despite WHY` of deploy and promote is the override, and is recorded",
)
TUNNEL: Final = CheckKind(
    "tunnel",
    _OUTSIDE,
    "The tunnel's credentials file is the right one and private, its configuration fits the routes,"
    " and it is ready.",
    "berth gateway tunnel",
    _STRICT,
)

CATALOGUE: Final[tuple[CheckKind, ...]] = (
    FILES,
    VARIABLES,
    POLICY,
    ROLE,
    TRACKED,
    VERSIONS,
    DEBUG,
    ALLOWED_HOSTS,
    CORS,
    APP_ENV,
    LOGGING,
    DATABASE_TLS,
    ENTRYPOINT,
    ENTRYPOINT_PORT,
    HOSTS,
    DOMAINS,
    GATEWAY,
    FIREWALL,
    DNS,
    CERTIFICATE,
    IMAGES,
    ARCHITECTURE,
    IMAGE_SPACE,
    HEALTHCHECK,
    HEALTHCHECK_TOOL,
    DOCKER,
    COMPOSE,
    DISK,
    INODES,
    MEMORY,
    ADDRESSES,
    CLOCK,
    DATABASE_MAJOR,
    BACKUP,
    LEASE,
    DEPLOYMENT,
    KEYS,
    PLACEHOLDERS,
    STRENGTH,
    FORMATS,
    PERMISSIONS,
    SHARED,
    ONE_PLACE,
    EXPIRY,
    VAULT,
    MIRROR,
    PERMIT,
    TUNNEL,
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
