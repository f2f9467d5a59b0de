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
class EnvironmentSpec:
    name: str
    compose: tuple[str, ...]
    env_file: tuple[str, ...] = ()
    secrets: str | None = None  # folder of secret files
    entrypoint: str = "https"
    hosts: tuple[str, ...] = ()
    is_strict: bool = True  # stage and prod: pull-only, no published ports, no mutable tags
    allow: tuple[Allowance, ...] = ()
    replicas: Mapping[str, int] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True)
class SmokeSpec:
    """A request that the new release must answer before and after the switch."""

    path: str
    status: int = 200
    contains: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True)
class RetentionSpec:
    releases: int = 5
    warm_seconds: float = 600.0
    watch_seconds: float = 20.0
    restore_points: int = 5


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

    def service(self, name: str) -> ServiceSpec:
        """What the file says of a service, or the defaults."""
        return self.services.get(name) or ServiceSpec(name)
    secrets: Mapping[str, SecretSpec] = field(default_factory=dict)
    config: ConfigSpec = field(default_factory=ConfigSpec)
