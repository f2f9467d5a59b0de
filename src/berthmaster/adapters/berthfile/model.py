"""The keys of `berth.yaml`: one pydantic model validates, documents and prints the JSON Schema.

Only form is checked here; `convert.py` turns it into the domain's `AppSpec` and fills in defaults.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from berthmaster.adapters.berthfile import values
from berthmaster.domain.secret import Format, SecretKind
from berthmaster.domain.spec import JobMoment, Role, TenancyMode

LATER = "Accepted and checked, not used yet: nothing depends on it in this version."


def _short_environment(value: Any) -> Any:
    if value is None:
        return {}
    return {"compose": value} if isinstance(value, str | list) else value


def _short_secret(value: Any) -> Any:
    if value is None:
        return {}
    return {"kind": value} if isinstance(value, str) else value


def _short_path(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class Section(BaseModel):
    """Unknown keys are errors; keys that start with `x-` are the user's own."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"patternProperties": {"^x-": {}}},
    )


class Allow(Section):
    """One recorded override: of a policy rule for a service, or of a check."""

    service: values.ServiceName | None = Field(
        None, description="Service of the Compose files, with `rule`."
    )
    rule: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")] | None = Field(
        None, description="Rule as `berth check` names it, e.g. `privileged`."
    )
    check: Annotated[str, Field(pattern=r"^[a-z_.]{1,60}$")] | None = Field(
        None, description="Check by its id, e.g. `debug`, instead of service and rule."
    )
    why: values.Reason = Field(description="Reason, kept in the record.")


class Intended(Section):
    """A difference from the mirrored environment that is meant."""

    what: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.*/:-]{1,200}$")] = Field(
        description="As `berth diff` names it, or the beginning of it; `*` is any one part."
    )
    why: values.Reason = Field(description="Reason, shown beside the difference.")


class Policy(Section):
    """How strict an environment is."""

    strict: bool | None = Field(
        None,
        description="Pull only, no published ports, no mutable tags, no guessed roles."
        " Default: true everywhere but in an environment named `dev`.",
    )
    allow: tuple[Allow, ...] = Field(
        (), description="Overrides of single rules, each with a reason."
    )


class Environment(Section):
    """A named place with its Compose files, hosts and policy."""

    compose: values.InsidePaths = Field(
        (), description="Compose files in order. Default: the standard name that is there."
    )
    env_file: values.InsidePaths | None = Field(
        None,
        description="Files for interpolation. Default: `.env` and `.env.<env>` where they exist.",
    )
    secrets: values.InsidePath | None = Field(
        None, description="Folder of secret files. Default: `secrets/<env>` where it exists."
    )
    entrypoint: values.EntrypointName = Field("https", description="Port of the gateway, by name.")
    hosts: values.Hosts = Field((), description="Public host names; `*.` in front means a suffix.")
    policy: Policy = Field(default_factory=Policy, description="Strictness and overrides.")
    replicas: dict[values.ServiceName, Annotated[int, Field(ge=1, le=100, strict=True)]] = Field(
        default_factory=dict, description="Number of containers by service."
    )
    profiles: values.Profiles = Field((), description="Compose profiles that are on.")
    verified_in: values.EnvironmentName | None = Field(
        None,
        description="Deploy only artifacts that this environment verified. `berth promote` always"
        " asks its source.",
    )
    approval: bool = Field(
        False, description="Somebody else than who deploys must have said `berth approve`."
    )
    mirrors: values.EnvironmentName | None = Field(
        None,
        description="Environment that this one must be like. Default: `stage` mirrors `prod`.",
    )
    intended: tuple[Intended, ...] = Field(
        (), description="Differences from the mirrored one that are meant."
    )
    map: dict[values.ServiceName, values.ServiceName] = Field(
        default_factory=dict,
        description="Services of the Compose files that take another's place: `mod_api: web`.",
    )


class Route(Section):
    """A path prefix and the service that answers it."""

    path: values.UrlPath = Field(description="Prefix, matched by segment: `/api` is not `/apiary`.")
    service: values.ServiceName = Field(description="Service of the Compose files.")
    port: values.Port = Field(description="Port inside the container.")
    ready: values.UrlPath | None = Field(
        None, description="Path of the readiness probe; any answer below 400 is good."
    )
    ready_status: values.HttpStatus | None = Field(None, description="The exact status wanted.")
    hosts: values.Hosts = Field(
        (), description="Only these hosts of the environment; there it wins over every other."
    )
    strip: bool = Field(False, description="Take the prefix off before the service sees it.")


class Service(Section):
    """What Berthmaster should know of a Compose service."""

    role: Role | None = Field(None, description="What the service is to a deployment.")
    drain: values.Seconds = Field(
        30.0, description="How long old requests or tasks may take to end."
    )
    ready: values.Seconds = Field(120.0, description="How long the gate waits for it.")
    expose: Literal["host"] | None = Field(None, description="`host`: keep its published ports.")
    binds: values.AbsolutePaths = Field((), description="Absolute host paths it may mount.")
    data: values.InsidePaths = Field(
        (), description="Folders beside the Compose files that it may write: they are data."
    )


class Job(Section):
    """Work that runs once: a migration before the switch, a task by hand, or on a schedule."""

    service: values.ServiceName = Field(
        description="Whose image, settings and mounts it runs with."
    )
    command: values.Command | None = Field(None, description="Default: the service's own command.")
    when: JobMoment | None = Field(
        None, description="Default: `before-switch`, or `manual` for a job with a schedule."
    )
    timeout: values.Seconds = Field(
        300.0, description="It is stopped and counts as failed after it."
    )
    compatible: bool = Field(True, description="Old code runs on what this job changes.")
    migration: bool | None = Field(
        None,
        description="Take a restore point before it. Default: true for names with `migrat`.",
    )
    schedule: Annotated[str, Field(pattern=r"^(\S+ ){4}\S+$")] | None = Field(
        None, description=f"Cron expression of five fields. {LATER}"
    )


class Site(Section):
    """Static files that the edge serves, switched together with the release."""

    path: values.UrlPath = Field("/", description="Prefix, matched by segment.")
    folder: values.InsidePath = Field(description="Built files, relative to berth.yaml.")
    hosts: values.Hosts = Field(
        (), description="Only these hosts of the environment; there it wins over every other."
    )


class Smoke(Section):
    """A condition that decides about a release: a request and its answer, or a command."""

    path: values.UrlPath | None = Field(
        None, description="What to ask for, before the switch and, through the gateway, after it."
    )
    status: values.HttpStatus = Field(200, description="The answer wanted.")
    contains: Annotated[str, Field(max_length=1000)] | None = Field(
        None, description="Text that the answer must hold."
    )
    host: values.Host | None = Field(None, description="Default: the first host.")
    headers: dict[values.HeaderName, Annotated[str, Field(max_length=1000)]] = Field(
        default_factory=dict, description="Headers that the answer must have, with their values."
    )
    json_: dict[values.JsonPath, values.Scalar] = Field(
        default_factory=dict,
        alias="json",
        description="Values that the answer's JSON must have, e.g. `checks.database: healthy`.",
    )
    seconds: values.Seconds | None = Field(
        None, description="The answer, or the end of the command, must come within this time."
    )
    command: values.Command | None = Field(
        None, description="Run in a container of `service` instead of asking a path."
    )
    service: values.ServiceName | None = Field(None, description="Where the command runs.")
    exit_code: Annotated[int, Field(ge=0, le=255, strict=True)] = Field(
        0, description="How the command must end."
    )


class Retention(Section):
    """What is kept, and for how long."""

    releases: Annotated[int, Field(ge=1, le=1000, strict=True)] = Field(
        5, description="Releases that can be run again."
    )
    warm: values.Seconds = Field(
        600.0, description="How long the old release keeps running after a switch."
    )
    watch: values.Seconds = Field(20.0, description="How long the new release is watched.")
    restore_points: Annotated[int, Field(ge=0, le=1000, strict=True)] = Field(
        5, description="Database dumps that are kept."
    )


class Secret(Section):
    """What a secret is; without it the kind is guessed from the name."""

    kind: SecretKind | None = Field(None, description="How it is made.")
    length: Annotated[int, Field(ge=16, le=4096, strict=True)] | None = Field(
        None, description="Characters; 32 for a password or a token, 64 for a key."
    )
    format: Format | None = Field(None, description="What the value must look like.")
    hosts: values.Hosts = Field((), description="Names in a certificate. Default: the services.")
    days: Annotated[int, Field(ge=1, le=3650, strict=True)] = Field(
        825, description="How long a certificate is valid."
    )
    partner: values.SecretName | None = Field(
        None, description="Secret with a certificate's private key, or a keypair's public half."
    )
    shared: values.Reason | None = Field(
        None, description="Why other environments may have the same value."
    )


class Config(Section):
    """Rules for values that are not secret: variables of the Compose files and of services."""

    required: tuple[values.VariableName, ...] = Field(
        (), description="Variables that must have a value, whatever the Compose files say."
    )
    formats: dict[values.VariableName, Format] = Field(
        default_factory=dict, description="What the value of a variable must look like."
    )


Amount = Annotated[str, Field(pattern=r"^\d+(\.\d+)?[kmgKMG][bB]?$")]


class Resources(Section):
    """Limits of a service; they win over what the Compose files say."""

    memory: Annotated[str, Field(pattern=r"^\d+(\.\d+)?[kmgKMG]?[bB]?$")] | None = Field(
        None, description="E.g. `512m`."
    )
    cpus: Annotated[float, Field(gt=0, le=1024)] | None = Field(None, description="E.g. 0.5.")
    connections: Annotated[int, Field(ge=5, le=10000, strict=True)] | None = Field(
        None,
        description="Of a PostgreSQL: how many it takes at once; its memory follows. Of a routed"
        " service: requests that each container is given at once; more wait, at most 10 s.",
    )


class Tenancy(Section):
    """How customers share the app."""

    mode: TenancyMode = Field(
        description="`silo`: a stack each; `pool`: one for all; `header`: one, told by a header."
    )
    header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] | None = Field(
        None,
        description="Header that names the tenant in mode `header`: the server's"
        " `gateway.tenant_header`, which is the default.",
    )
    domain: values.Host | dict[values.EnvironmentName, values.Host] | None = Field(
        None,
        description="Suffix that tenants get a name under: one, or one for each environment.",
    )
    sizes: dict[values.ServiceName, dict[values.ServiceName, Resources]] = Field(
        default_factory=dict,
        description="Limits by name and service: what a tenant may be given.",
    )
    servers: dict[values.ServiceName, dict[values.ServiceName, values.ServiceName]] = Field(
        default_factory=dict,
        description="Servers that tenants may live on, with labels such as `region: eu`.",
    )
    disk: Amount | dict[values.ServiceName, Amount] | None = Field(
        None, description="What a tenant's volumes may hold: one, or by size. Over it: an alert."
    )
    over_disk: Literal["alert", "suspend"] = Field(
        "alert", description="`suspend` also closes a tenant that holds more; its data stays."
    )


class Source(Section):
    """Where a pooled app keeps its rows of domains."""

    service: values.ServiceName = Field(
        description="State service, whose own psql is used; with `path` a routed one, asked over"
        " HTTP."
    )
    database: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,63}$")] | None = Field(
        None, description="Default: the one that the image made, `POSTGRES_DB`."
    )
    table: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$")] = Field(
        "tenants_domain",
        description="What `berth domain fix` changes: columns `id`, `domain`, `is_primary`.",
    )
    read: Annotated[str, Field(min_length=1, max_length=4000)] | None = Field(
        None,
        description="SQL that gives id, domain, is_primary and tenant; run read-only."
        " Default: these four columns of the table.",
    )
    path: values.UrlPath | None = Field(
        None,
        description="Path as the service knows it that answers with a JSON list of id, domain,"
        " is_primary and tenant.",
    )
    repair: values.UrlPath | None = Field(
        None,
        description="Path of the same service that takes the changes of `berth domain fix --apply`"
        " with POST, all of them or none. Without it the list is only read.",
    )
    token: values.ServiceName | None = Field(
        None, description="Secret of the environment that is sent with `path` as a bearer's token."
    )


class Domains(Section):
    """Names that tenants bring themselves."""

    suffixes: values.Hosts = Field((), description="Domains under which every name is ours.")
    custom: bool = Field(False, description="Whether tenants may bring their own domain.")
    reserved: tuple[values.ServiceName, ...] = Field(
        (), description="Names that no tenant may have, beside the usual ones (`www`, `api`, ...)."
    )
    forbidden: tuple[Annotated[str, Field(pattern=r"^[a-z0-9.-]{2,100}$")], ...] = Field(
        (".staging.", ".localhost"),
        description="Parts that no name of a strict environment may have.",
    )
    exempt: tuple[values.ServiceName, ...] = Field(
        ("public", "main"), description="Tenants whose rows `berth domain fix` never touches."
    )
    source: Source | None = Field(
        None, description="Where the app keeps its own rows. Default: Berthmaster keeps them."
    )
    validate_: values.UrlPath | None = Field(
        None,
        alias="validate",
        description="Path where a pooled app answers `?domain=NAME` with 200 or 404: it has the"
        " last word about certificates below its suffix.",
    )


class Parity(Section):
    """A request that production and its rehearsal must answer alike."""

    path: Annotated[str, Field(pattern=r"^/[!-~]{0,1000}$")] = Field(
        description="What to ask for, with its query. Production is asked too."
    )
    host: values.Host | None = Field(None, description="Default: the first host that answers it.")
    method: Literal["GET", "HEAD"] = Field("GET", description="Nothing that writes.")
    headers: dict[values.HeaderName, Annotated[str, Field(max_length=4000)]] = Field(
        default_factory=dict, description="Headers to send to both."
    )
    ignore: tuple[values.JsonPath, ...] = Field(
        (), description="Parts of the JSON that may differ in shape; `*` is any one part."
    )


class Rehearsal(Section):
    """What a rehearsal, the copy of an environment, has otherwise (`berth rehearse`)."""

    domain: values.Host | None = Field(
        None, description="Its hosts lie below it. Default: `rehearsal.` before each host."
    )
    compose: values.InsidePaths = Field(
        (), description="Compose files that only the copy has: doubles of mail and payment."
    )
    env: dict[values.VariableName, values.Setting] = Field(
        default_factory=dict,
        description="Variables of the copy's app services, whatever the files say.",
    )
    secrets: tuple[values.SecretName, ...] = Field(
        (), description="Values that it shares with the environment; all others are its own."
    )
    jobs: dict[values.ServiceName, Job] = Field(
        default_factory=dict,
        description="Jobs that only the copy runs, over the restored data and before all others.",
    )
    parity: tuple[Annotated[Parity, BeforeValidator(_short_path)], ...] = Field(
        (), description="Requests that both must answer alike; a path alone is short."
    )
    fresh: values.Seconds = Field(
        86400.0, description="How long what was compared lets it be shipped."
    )
    notice: values.Seconds = Field(
        0.0,
        description="It ships only in a cutover window of `.deploy-freeze` that `berth rehearse"
        " announce` told of so long before. Default: at any time.",
    )


class Berthfile(Section):
    """`berth.yaml`: what Berthmaster needs to know beside the Compose files."""

    app: values.AppName = Field(description="Name of the app; part of every container's name.")
    environments: dict[
        values.EnvironmentName, Annotated[Environment, BeforeValidator(_short_environment)]
    ] = Field(
        min_length=1,
        description="By name. A list of Compose files, or nothing at all, is short.",
    )
    routes: tuple[Route, ...] = Field((), description="Who answers which path.")
    services: dict[values.ServiceName, Service] = Field(
        default_factory=dict, description="Only what differs from the defaults."
    )
    jobs: dict[values.ServiceName, Job] = Field(default_factory=dict, description="By name.")
    sites: dict[values.ServiceName, Site] = Field(default_factory=dict, description="By name.")
    smoke: tuple[Annotated[Smoke, BeforeValidator(_short_path)], ...] = Field(
        (), description="Conditions that decide; a plain path wants status 200."
    )
    retention: Retention = Field(default_factory=Retention, description="What is kept.")
    release_variable: values.VariableName = Field(
        "IMAGE_TAG", description="Variable of the Compose files that `--tag` sets."
    )
    secrets: dict[values.SecretName, Annotated[Secret, BeforeValidator(_short_secret)]] = Field(
        default_factory=dict, description="By name. A kind alone is short."
    )
    config: Config = Field(default_factory=Config, description="Rules for other values.")
    tenancy: Tenancy | None = Field(None, description="Customers of the app.")
    domains: Domains | None = Field(None, description="Tenants' domains.")
    rehearsal: Rehearsal = Field(
        default_factory=Rehearsal, description="What the copy of an environment has otherwise."
    )
    servers: dict[values.EnvironmentName, values.ServiceName] = Field(
        default_factory=dict,
        description="Server by environment, as `berth server add` named it: commands about the"
        " environment go there over ssh.",
    )
    resources: dict[values.ServiceName, Resources] = Field(
        default_factory=dict, description="Limits by service, of every stack."
    )
