"""What `berth.yaml` asks for, once validated: one app, its environments, services, jobs, sites.

The file format and its messages live in `adapters/berthfile`; these values are what everybody else
reads. Durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from berthmaster.domain.secret import ConfigSpec, SecretSpec


class Role(StrEnum):
    """What a service is to a deployment (`docs/explanation/roles.md`)."""

    STATE = "state"  # keeps data, outlives releases
    REPLACED = "replaced"  # Berthmaster stands in for it; never run
    ROUTED = "routed"  # takes requests
    CONSUMER = "consumer"  # takes work from a queue
    SINGLE = "single"  # at most one may run
    JOB = "job"  # runs once and ends

    @property
    def is_app_service(self) -> bool:
        """Whether every release brings its own."""
        return self in (Role.ROUTED, Role.CONSUMER, Role.SINGLE)


class JobMoment(StrEnum):
    """When a job runs."""

    BEFORE_SWITCH = "before-switch"  # with the new image, while the old release serves
    AFTER_SWITCH = "after-switch"  # once the new release was watched
    MANUAL = "manual"  # never by a deployment: `berth run` runs its command


@dataclass(frozen=True, slots=True)
class RouteSpec:
    path: str  # prefix, matched by segment
    service: str
    port: int
    ready: str | None = None  # path of the readiness probe; any answer below 400 is good
    ready_status: int | None = None  # exact status wanted instead
    hosts: tuple[str, ...] = ()  # only these hosts of the environment; empty: all
    strip: bool = False  # take the prefix off before the upstream sees it


@dataclass(frozen=True, slots=True)
class Allowance:
    """A recorded override of one policy rule."""

    service: str
    rule: str  # e.g. `privileged`
    why: str


@dataclass(frozen=True, slots=True)
class IntendedDifference:
    """A difference between an environment and the one it mirrors, listed as meant."""

    what: str  # `services.web.deploy.resources`; `*` stands for any part
    why: str


@dataclass(frozen=True, slots=True)
class CheckOverride:
    """A recorded override of one check of `berth check`."""

    check: str  # id in the catalogue
    why: str


@dataclass(frozen=True, slots=True)
class Overlay:
    """Compose files laid over an environment's own, and services that take others' places."""

    files: tuple[str, ...] = ()  # relative to berth.yaml
    renames: Mapping[str, str] = field(default_factory=dict)  # `mod_api` -> `web`

    def __bool__(self) -> bool:
        return bool(self.files or self.renames)


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    name: str
    compose: tuple[str, ...]
    env_file: tuple[str, ...] = ()
    secrets: str | None = None  # folder of secret files
    entrypoint: str = "https"
    hosts: tuple[str, ...] = ()
    is_strict: bool = True  # stage and prod: pull-only, no published ports, no mutable tags
    allow: tuple[Allowance, ...] = ()
    overrides: tuple[CheckOverride, ...] = ()
    replicas: Mapping[str, int] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    verified_in: str | None = None  # only artifacts that this environment verified get here
    needs_approval: bool = False  # by somebody else than who deploys
    mirrors: str | None = None  # the environment that this one should be like
    intended: tuple[IntendedDifference, ...] = ()  # from the one it mirrors
    tenant: str | None = None  # whose it is, when it was read for a tenant's stack
    values: Mapping[str, str] = field(default_factory=dict)  # of that tenant, for interpolation
    renames: Mapping[str, str] = field(default_factory=dict)  # services that take others' places
    rehearsal: "RehearsalSpec | None" = None  # when it was read for a rehearsal: what is its own


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    name: str
    role: Role | None = None
    drain_seconds: float = 30.0  # how long old requests or tasks may take to end
    ready_seconds: float = 120.0  # how long the gate waits for it
    expose_host: bool = False  # keep its published ports
    binds: tuple[str, ...] = ()  # absolute host paths it may mount
    data: tuple[str, ...] = ()  # relative writable binds that are data


@dataclass(frozen=True, slots=True)
class JobSpec:
    name: str
    service: str  # whose image, environment and mounts it runs with
    command: tuple[str, ...] | None  # None: the service's own command
    when: JobMoment = JobMoment.BEFORE_SWITCH
    timeout_seconds: float = 300.0
    is_compatible: bool = True  # old code runs on the changed schema
    is_migration: bool = False  # a restore point is taken before it
    schedule: str | None = None  # cron expression, for a job that also runs on its own


@dataclass(frozen=True, slots=True)
class SiteSpec:
    name: str
    path: str
    folder: str  # relative to berth.yaml
    hosts: tuple[str, ...] = ()


Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class SmokeSpec:
    """A condition that decides about a release: a request, or a command in a container of it.

    Requests are asked before the switch at the release's own address and after it through the
    gateway. A command has no path; it runs once, as soon as its service does.
    """

    path: str
    status: int = 200
    contains: str | None = None
    host: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)  # that the answer must have
    json: Mapping[str, Scalar] = field(default_factory=dict)  # `checks.database` -> value
    seconds: float | None = None  # the answer, or the command's end, must come within
    command: tuple[str, ...] = ()
    service: str | None = None  # whose container runs the command
    exit_code: int = 0

    @property
    def name(self) -> str:
        """How people know it: the path, or the command and its service."""
        return f"`{' '.join(self.command)}` in {self.service}" if self.command else self.path


@dataclass(frozen=True, slots=True)
class RetentionSpec:
    releases: int = 5
    warm_seconds: float = 600.0
    watch_seconds: float = 20.0
    restore_points: int = 5


class TenancyMode(StrEnum):
    """How customers share an app."""

    SILO = "silo"  # a stack each
    POOL = "pool"  # one stack that knows its customers by their hosts
    HEADER = "header"  # one stack that is told the customer in a header


@dataclass(frozen=True, slots=True)
class Limits:
    """What a service may use at most."""

    memory: str | None = None  # `512m`
    cpus: float | None = None
    connections: int | None = None  # of a PostgreSQL; of a routed service: requests at once


@dataclass(frozen=True, slots=True)
class TenancySpec:
    mode: TenancyMode
    suffixes: Mapping[str, str] = field(default_factory=dict)  # by environment; "": of all others
    header: str | None = None
    sizes: Mapping[str, Mapping[str, Limits]] = field(default_factory=dict)  # name, service
    servers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # labels by server
    disk: Mapping[str, int] = field(default_factory=dict)  # bytes by size; "": of all others
    suspends_over_disk: bool = False

    def suffix(self, environment: str) -> str | None:
        """What tenants of an environment get their name under."""
        return self.suffixes.get(environment) or self.suffixes.get("")

    def disk_limit(self, size: str | None) -> int | None:
        """Bytes that the volumes of a tenant of this size may hold; None: any."""
        return self.disk.get(size or "") or self.disk.get("")


@dataclass(frozen=True, slots=True)
class RowSource:
    """The app's own table of domains, in one of its state services."""

    service: str  # whose container's psql is asked
    database: str | None = None  # None: the one that the image made
    table: str = "tenants_domain"  # changed by `domain fix`: columns id, domain, is_primary
    read: str = "SELECT id, domain, is_primary, tenant FROM tenants_domain ORDER BY id"


@dataclass(frozen=True, slots=True)
class HttpSource:
    """The app's own list of domains, asked of the live release."""

    service: str  # a routed one, whose container is asked
    path: str
    token: str  # secret of the environment, sent as a bearer's
    repair: str | None = None  # path that takes changes, all of them or none; None: only read


@dataclass(frozen=True, slots=True)
class DomainsSpec:
    suffixes: tuple[str, ...] = ()  # below which every name is ours
    may_be_custom: bool = False  # whether tenants bring names of their own
    reserved: tuple[str, ...] = ()  # that no tenant may be called
    forbidden: tuple[str, ...] = (".staging.", ".localhost")  # parts of no production name
    exempt: tuple[str, ...] = ("public", "main")  # tenants that no repair may touch
    source: RowSource | HttpSource | None = None  # the app's own rows; None: Berthmaster has them
    validate: str | None = None  # path where the app says whether it knows a `?domain=`


@dataclass(frozen=True, slots=True)
class ParitySpec:
    """A request that production and its rehearsal must answer alike."""

    path: str
    host: str | None = None  # None: the first one that answers the path
    method: str = "GET"  # or HEAD: production is asked too, so nothing that writes
    headers: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()  # parts of the JSON that may differ in shape

    @property
    def name(self) -> str:
        """How people know it."""
        where = f" ({self.host})" if self.host else ""
        return f"{self.method} {self.path}{where}"


@dataclass(frozen=True, slots=True)
class RehearsalSpec:
    """What the copy of an environment has otherwise than the environment itself."""

    domain: str | None = None  # that its hosts lie below; None: `rehearsal.` before each
    compose: tuple[str, ...] = ()  # files that only the copy has: doubles
    env: Mapping[str, str] = field(default_factory=dict)  # of its app services
    secrets: tuple[str, ...] = ()  # that it shares with the environment
    jobs: tuple[JobSpec, ...] = ()  # that only the copy runs, over the restored data
    parity: tuple[ParitySpec, ...] = ()
    fresh_seconds: float = 86400.0  # how long what was compared lets it be shipped
    notice_seconds: float = 0.0  # between the notice and the window; 0: it ships at any time


@dataclass(frozen=True, slots=True)
class AppSpec:
    app: str
    folder: str  # absolute folder of berth.yaml
    environments: Mapping[str, EnvironmentSpec]
    routes: tuple[RouteSpec, ...] = ()
    services: Mapping[str, ServiceSpec] = field(default_factory=dict)
    jobs: tuple[JobSpec, ...] = ()
    sites: tuple[SiteSpec, ...] = ()
    smoke: tuple[SmokeSpec, ...] = ()
    retention: RetentionSpec = field(default_factory=RetentionSpec)
    release_variable: str = "IMAGE_TAG"
    secrets: Mapping[str, SecretSpec] = field(default_factory=dict)
    config: ConfigSpec = field(default_factory=ConfigSpec)
    tenancy: TenancySpec | None = None
    domains: DomainsSpec = field(default_factory=DomainsSpec)
    limits: Mapping[str, Limits] = field(default_factory=dict)  # by service
    servers: Mapping[str, str] = field(default_factory=dict)  # server by environment
    rehearsal: RehearsalSpec = field(default_factory=RehearsalSpec)

    def service(self, name: str) -> ServiceSpec:
        """What the file says of a service, or the defaults."""
        return self.services.get(name) or ServiceSpec(name)
