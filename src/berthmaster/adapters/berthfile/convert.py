"""From the file's model to the domain's `AppSpec`: defaults that depend on the folder, and cross
checks.
"""

from pathlib import Path
from typing import Final

from berthmaster.adapters.berthfile import model
from berthmaster.adapters.berthfile.document import Document, Path_, is_inside
from berthmaster.domain import checks, elsewhere, spec
from berthmaster.domain.errors import InvalidName, InvalidSpec
from berthmaster.domain.hosting import is_covered
from berthmaster.domain.secret import ConfigSpec, SecretSpec

COMPOSE_NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
RELAXED: Final = "dev"  # the one environment that is not strict unless the file says so


def app_spec(berthfile: model.Berthfile, folder: Path, document: Document) -> spec.AppSpec:
    """Convert; raises `InvalidSpec` for files that are missing and for what contradicts itself."""
    found = spec.AppSpec(
        app=berthfile.app,
        folder=str(folder),
        environments={
            name: _environment(name, item, folder, document)
            for name, item in berthfile.environments.items()
        },
        routes=tuple(_route(item) for item in berthfile.routes),
        services={name: _service(name, item) for name, item in berthfile.services.items()},
        jobs=tuple(_job(name, item) for name, item in berthfile.jobs.items()),
        sites=tuple(
            spec.SiteSpec(name, item.path, item.folder, item.hosts)
            for name, item in berthfile.sites.items()
        ),
        smoke=tuple(
            smoke_spec(item, document, ("smoke", number))
            for number, item in enumerate(berthfile.smoke)
        ),
        retention=_retention(berthfile.retention),
        release_variable=berthfile.release_variable,
        secrets={name: _secret(name, item) for name, item in berthfile.secrets.items()},
        config=ConfigSpec(berthfile.config.required, dict(berthfile.config.formats)),
        tenancy=_tenancy(berthfile.tenancy) if berthfile.tenancy else None,
        domains=_domains(berthfile.domains, document) if berthfile.domains else spec.DomainsSpec(),
        limits={name: _limits(item) for name, item in berthfile.resources.items()},
        servers=_servers(berthfile, document),
        rehearsal=_rehearsal(berthfile.rehearsal, set(berthfile.jobs), folder, document),
    )
    _check_answers_once(found, document)
    _check_hosts(found, document)
    _check_neighbours(found, document)
    _check_suffixes(found, document)
    return found


def _servers(berthfile: model.Berthfile, document: Document) -> dict[str, str]:
    """By environment; each must be one of the file's, on a server with a valid name."""
    for name, server in berthfile.servers.items():
        if name not in berthfile.environments:
            raise document.error(f"there is no environment {name!r}", ("servers", name))
        try:
            elsewhere.check_server(server)
        except InvalidName as error:
            raise document.error(error.message, ("servers", name)) from error
    for server in berthfile.tenancy.servers if berthfile.tenancy else ():
        try:
            elsewhere.check_server(server)
        except InvalidName as error:
            raise document.error(error.message, ("tenancy", "servers", server)) from error
    return dict(berthfile.servers)


def _environment(
    name: str, item: model.Environment, folder: Path, document: Document
) -> spec.EnvironmentSpec:
    at: Path_ = ("environments", name)
    compose = item.compose or _found(folder, COMPOSE_NAMES)[:1]
    if not compose:
        raise document.error(f"no Compose file here: write `environments.{name}.compose`", at)
    env_file = item.env_file
    if env_file is None:
        env_file = _found(folder, (".env", f".env.{name}"))
    secrets = item.secrets or next(iter(_found(folder, (f"secrets/{name}",))), None)
    _check_inside(folder, compose, document, (*at, "compose"))
    _check_inside(folder, env_file, document, (*at, "env_file"))
    _check_inside(folder, (secrets,) if secrets else (), document, (*at, "secrets"))
    # These files are in no repository: reading another environment must not need them.
    for position, file in enumerate(compose):
        if not (folder / file).is_file():
            raise document.error(f"no such file: {file}", (*at, "compose", position))
    strict = item.policy.strict
    return spec.EnvironmentSpec(
        name=name,
        compose=compose,
        env_file=env_file,
        secrets=secrets,
        entrypoint=item.entrypoint,
        hosts=item.hosts,
        is_strict=name != RELAXED if strict is None else strict,
        allow=tuple(
            spec.Allowance(one.service, one.rule, one.why)
            for one in item.policy.allow
            if one.service is not None and one.rule is not None
        ),
        overrides=_overrides(item.policy, document, (*at, "policy", "allow")),
        replicas=dict(item.replicas),
        profiles=item.profiles,
        verified_in=item.verified_in,
        needs_approval=item.approval,
        mirrors=item.mirrors,
        intended=tuple(spec.IntendedDifference(one.what, one.why) for one in item.intended),
        renames=dict(item.map),
    )


def _overrides(
    policy: model.Policy, document: Document, at: Path_
) -> tuple[spec.CheckOverride, ...]:
    """The overrides of checks; refuses unknown ids, locked ones, and what names half of a rule."""
    found = []
    for position, one in enumerate(policy.allow):
        here: Path_ = (*at, position)
        if (one.check is None) == (one.service is None or one.rule is None):
            raise document.error("write `service` and `rule`, or `check`, and `why`", here)
        if one.check is None:
            continue
        if one.service is not None or one.rule is not None:
            raise document.error("`check` stands alone: no `service`, no `rule`", here)
        kind = checks.kind_of(one.check)
        if kind is None:
            near = checks.nearest_id(one.check)
            hint = f", did you mean `{near}`?" if near else ": see `berth check`"
            raise document.error(f"there is no check `{one.check}`{hint}", (*here, "check"))
        if kind.locked_because:
            raise document.error(
                f"the check `{one.check}` cannot be overridden: {kind.locked_because}",
                (*here, "check"),
            )
        found.append(spec.CheckOverride(one.check, one.why))
    return tuple(found)


def _found(folder: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if (folder / name).exists())


def _check_inside(folder: Path, names: tuple[str, ...], document: Document, at: Path_) -> None:
    """A symlink that leads out of the folder could hand over any file of the machine."""
    root = folder.resolve()
    for position, name in enumerate(names):
        if not is_inside(root, folder / name):
            raise document.error(f"{name} leads out of the folder of berth.yaml", (*at, position))


def _route(item: model.Route) -> spec.RouteSpec:
    return spec.RouteSpec(
        path=item.path,
        service=item.service,
        port=item.port,
        ready=item.ready,
        ready_status=item.ready_status,
        hosts=item.hosts,
        strip=item.strip,
    )


def _service(name: str, item: model.Service) -> spec.ServiceSpec:
    return spec.ServiceSpec(
        name=name,
        role=item.role,
        drain_seconds=item.drain,
        ready_seconds=item.ready,
        expose_host=item.expose == "host",
        binds=item.binds,
        data=item.data,
    )


def _job(name: str, item: model.Job) -> spec.JobSpec:
    usual = spec.JobMoment.MANUAL if item.schedule else spec.JobMoment.BEFORE_SWITCH
    return spec.JobSpec(
        name=name,
        service=item.service,
        command=item.command,
        when=item.when or usual,
        timeout_seconds=item.timeout,
        is_compatible=item.compatible,
        is_migration="migrat" in name if item.migration is None else item.migration,
        schedule=item.schedule,
    )


def _secret(name: str, item: model.Secret) -> SecretSpec:
    return SecretSpec(
        name=name,
        kind=item.kind,
        length=item.length,
        format=item.format,
        hosts=item.hosts,
        days=item.days,
        partner=item.partner,
        shared=item.shared,
    )


def smoke_spec(item: model.Smoke, document: Document, at: Path_) -> spec.SmokeSpec:
    """A condition; raises `InvalidSpec` for one that asks nothing, or twice."""
    if (item.path is None) == (item.command is None):
        raise document.error("a smoke condition has either a `path` or a `command`", at)
    if (item.command is None) != (item.service is None):
        raise document.error("`command` and `service` go together: where does it run?", at)
    return spec.SmokeSpec(
        path=item.path or "",
        status=item.status,
        contains=item.contains,
        host=item.host,
        headers=dict(item.headers),
        json=dict(item.json_),
        seconds=item.seconds,
        command=item.command or (),
        service=item.service,
        exit_code=item.exit_code,
    )


def _rehearsal(
    item: model.Rehearsal, jobs: set[str], folder: Path, document: Document
) -> spec.RehearsalSpec:
    at: Path_ = ("rehearsal", "compose")
    _check_inside(folder, item.compose, document, at)
    for position, file in enumerate(item.compose):
        if not (folder / file).is_file():
            raise document.error(f"no such file: {file}", (*at, position))
    if twice := sorted(item.jobs.keys() & jobs):
        raise document.error(f"{twice[0]} is a job of `jobs` too", ("rehearsal", "jobs", twice[0]))
    return spec.RehearsalSpec(
        domain=item.domain,
        compose=item.compose,
        env=dict(item.env),
        secrets=item.secrets,
        jobs=tuple(_job(name, one) for name, one in item.jobs.items()),
        parity=tuple(
            spec.ParitySpec(one.path, one.host, one.method, dict(one.headers), one.ignore)
            for one in item.parity
        ),
        fresh_seconds=item.fresh,
        notice_seconds=item.notice,
    )


def _tenancy(item: model.Tenancy) -> spec.TenancySpec:
    given = item.domain or {}
    return spec.TenancySpec(
        mode=item.mode,
        suffixes={"": given} if isinstance(given, str) else dict(given),
        header=item.header,
        sizes={
            name: {service: _limits(one) for service, one in size.items()}
            for name, size in item.sizes.items()
        },
        servers={name: dict(labels) for name, labels in item.servers.items()},
        disk=_disk(item.disk),
        suspends_over_disk=item.over_disk == "suspend",
    )


def _disk(given: str | dict[str, str] | None) -> dict[str, int]:
    amounts = {"": given} if isinstance(given, str) else given or {}
    return {size: _bytes(text) for size, text in amounts.items()}


def _bytes(text: str) -> int:
    """`1.5g` as Docker counts it."""
    plain = text.lower().rstrip("b")
    return int(float(plain[:-1]) * 1024 ** (1 + "kmg".index(plain[-1])))


def _domains(item: model.Domains, document: Document) -> spec.DomainsSpec:
    return spec.DomainsSpec(
        suffixes=item.suffixes,
        may_be_custom=item.custom,
        reserved=item.reserved,
        forbidden=item.forbidden,
        exempt=item.exempt,
        source=_source(item.source, document) if item.source else None,
        validate=item.validate_,
    )


def _source(item: model.Source, document: Document) -> spec.RowSource | spec.HttpSource:
    at: Path_ = ("domains", "source")
    if (item.path is None) != (item.token is None):
        raise document.error("`path` and `token` stand together", at)
    if item.path is not None and item.token is not None:
        if item.read is not None or item.database is not None:
            raise document.error("`path` asks over HTTP: no `read`, no `database`", at)
        return spec.HttpSource(item.service, item.path, item.token, item.repair)
    if item.repair is not None:
        raise document.error("`repair` stands with `path`: rows of a table need none", at)
    usual = f"SELECT id, domain, is_primary, tenant FROM {item.table} ORDER BY id"  # noqa: S608
    return spec.RowSource(item.service, item.database, item.table, item.read or usual)


def _limits(item: model.Resources) -> spec.Limits:
    return spec.Limits(item.memory, item.cpus, item.connections)


def _retention(item: model.Retention) -> spec.RetentionSpec:
    return spec.RetentionSpec(
        releases=item.releases,
        warm_seconds=item.warm,
        watch_seconds=item.watch,
        restore_points=item.restore_points,
    )


def _check_answers_once(app: spec.AppSpec, document: Document) -> None:
    """Refuse two answers for one path of one host."""
    seen: dict[tuple[str, str], Path_] = {}
    entries: list[tuple[Path_, str, tuple[str, ...]]] = [
        (("routes", number), route.path, route.hosts) for number, route in enumerate(app.routes)
    ]
    entries += [(("sites", site.name), site.path, site.hosts) for site in app.sites]
    for at, path, hosts in entries:
        for host in hosts or ("",):
            key = (path.rstrip("/"), host)
            if key in seen:
                other = document.location(seen[key])
                raise document.error(f"`{path}` is already answered by {other}", at)
            seen[key] = at


def _check_hosts(app: spec.AppSpec, document: Document) -> None:
    """Refuse a route's host that no environment has; each environment takes those it has."""
    known = sorted({host for item in app.environments.values() for host in item.hosts})
    entries: list[tuple[Path_, tuple[str, ...]]] = [
        (("routes", number), route.hosts) for number, route in enumerate(app.routes)
    ]
    entries += [(("sites", site.name), site.hosts) for site in app.sites]
    for at, hosts in entries:
        for position, host in enumerate(hosts):
            if known and not is_covered(host, known):
                raise document.error(
                    f"{host} is a host of no environment; they have: {', '.join(known)}",
                    (*at, "hosts", position),
                )


def _check_neighbours(app: spec.AppSpec, document: Document) -> None:
    """Refuse an environment that names one that is not there, or itself."""
    for name, item in app.environments.items():
        for key, other in (("verified_in", item.verified_in), ("mirrors", item.mirrors)):
            if other is None:
                continue
            at: Path_ = ("environments", name, key)
            if other == name:
                raise document.error(f"{name} cannot name itself here", at)
            if other not in app.environments:
                known = ", ".join(sorted(set(app.environments) - {name}))
                raise document.error(f"there is no environment {other}; others are {known}", at)


def _check_suffixes(app: spec.AppSpec, document: Document) -> None:
    """Refuse a suffix of an environment that is not there, and one that is a wildcard."""
    for name, suffix in (app.tenancy.suffixes if app.tenancy else {}).items():
        at: Path_ = ("tenancy", "domain", name) if name else ("tenancy", "domain")
        if name and name not in app.environments:
            known = ", ".join(sorted(app.environments))
            raise document.error(f"there is no environment {name}; they are {known}", at)
        if suffix.startswith("*."):
            raise document.error(f"write {suffix[2:]}: a tenant's name comes in front of it", at)


def environment_of(app: spec.AppSpec, name: str) -> spec.EnvironmentSpec:
    """An environment by name; raises `InvalidSpec` with those there are."""
    found = app.environments.get(name)
    if found is None:
        names = ", ".join(sorted(app.environments))
        raise InvalidSpec(f"{app.app} has no environment {name!r}; it has: {names}")
    return found
