"""The Compose models of one release and of its stack's state services.

Pure and deterministic: equal inputs give equal models, in sorted order. Nothing secret stays in a
model: environment values are split out and come back, by `with_environment`, just before Compose
runs.
"""

from dataclasses import dataclass, field
from typing import Any

from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.hosting import is_covered, reachable
from berthmaster.domain.release import ReleaseRoute, ReleaseService, Upstream
from berthmaster.domain.spec import JobSpec, Limits, Role, RouteSpec, SiteSpec
from berthmaster.planner import composemodel as compose
from berthmaster.planner import networking
from berthmaster.planner.mounting import Mounts, mounts_of
from berthmaster.planner.rendering import (
    FileRequest,
    Rendered,
    RenderInputs,
    job_container,
    job_key,
    keeps_ports,
    running,
    service_container,
    service_key,
    volume_name,
)
from berthmaster.planner.sealing import known_secrets, split_environment, with_environment
from berthmaster.planner.servicemodel import (
    START_INTERVAL_ENGINE,
    describe_dropped,
    job_service,
    plain_service,
)

__all__ = [
    "FileRequest",
    "RenderInputs",
    "Rendered",
    "job_container",
    "job_key",
    "render_release",
    "with_environment",
]


def render_release(inputs: RenderInputs) -> Rendered:
    """Render a release; raises `InvalidSpec` for what cannot run twice, and `NoAddressLeft`."""
    secrets = known_secrets(inputs.model, inputs.variables, inputs.secret_variables)
    work = _Work(inputs, networking.fixed_addresses(inputs), _jobs(inputs), secrets)
    for name in running(inputs):
        if inputs.role(name) is Role.STATE:
            work.add_state(name)
        elif inputs.role(name).is_app_service:
            work.add_replicas(name)
    for job in work.jobs:
        work.add_job(job)
    return Rendered(
        model=work.model(is_state=False),
        state_model=work.model(is_state=True),
        environment={key: values for key, values in sorted(work.environment.items()) if values},
        services=tuple(_service(inputs, work.jobs, item.service) for item in inputs.decisions),
        routes=_routes(inputs, work.addresses),
        jobs=work.jobs,
        volumes=_volumes(inputs, work),
        dropped=tuple(describe_dropped(inputs)),
        two_writers=_two_writers(inputs, work),
        notes=_notes(inputs, work),
        files=work.all_files(),
    )


@dataclass(slots=True)
class _Work:
    """The two models while they grow."""

    inputs: RenderInputs
    addresses: dict[tuple[str, int], str]
    jobs: tuple[JobSpec, ...]
    secrets: tuple[tuple[str, str], ...] = field(repr=False)  # placeholder, value
    environment: dict[str, dict[str, str]] = field(default_factory=dict)
    mounts: dict[str, Mounts] = field(default_factory=dict)  # by service
    state: dict[str, Any] = field(default_factory=dict)
    release: dict[str, Any] = field(default_factory=dict)

    def add_state(self, name: str) -> None:
        service = self._start(name, name)
        service["container_name"] = service_container(self.inputs, name, 1)
        networking.join_state(self.inputs, name, service)
        waits = compose.depends_on(self.inputs.service(name))
        states = {key for key in running(self.inputs) if self.inputs.role(key) is Role.STATE}
        after = {key: {"condition": waits[key]} for key in sorted(waits) if key in states}
        if after:
            service["depends_on"] = after
        self.state[name] = service

    def add_replicas(self, name: str) -> None:
        for replica in range(1, self.inputs.replicas(name) + 1):
            key = service_key(name, self.inputs.number, replica)
            service = self._start(name, key)
            service["container_name"] = service_container(self.inputs, name, replica)
            address = self.addresses.get((name, replica))
            networking.join_release(self.inputs, name, replica, service, address)
            self.release[key] = service

    def add_job(self, job: JobSpec) -> None:
        key = job_key(job.name, self.inputs.number)
        service = job_service(self.inputs, job, self._start(job.service, key, job))
        service["container_name"] = job_container(self.inputs.stack, job.name, self.inputs.number)
        networking.join_as_job(self.inputs, job.service, service)
        self.release[key] = service

    def _start(self, name: str, key: str, job: JobSpec | None = None) -> dict[str, Any]:
        """A service with all that its copies share; its secret values go to `environment`."""
        is_state = self.inputs.role(name) is Role.STATE and job is None
        if name not in self.mounts:
            self.mounts[name] = mounts_of(self.inputs, name, is_state)
        service = plain_service(self.inputs, name)
        if job is not None and job.command is not None:
            service["command"] = list(job.command)
        if self.mounts[name].entries:
            service["volumes"] = [dict(entry) for entry in self.mounts[name].entries]
        source = self.inputs.service(name)
        self.environment[key] = split_environment(service, source, self.secrets)
        return service

    def model(self, *, is_state: bool) -> dict[str, Any]:
        """One of the two models, sorted."""
        inputs, services = self.inputs, self.state if is_state else self.release
        stack = inputs.stack
        used = {
            entry["source"]
            for service in services.values()
            for entry in service.get("volumes", ())
            if entry.get("type") == "volume" and entry.get("source")
        }
        return {
            "name": stack.project if is_state else stack.release_project(inputs.number),
            "services": {key: services[key] for key in sorted(services)},
            "networks": networking.networks_of_model(inputs, is_state=is_state),
            "volumes": {
                key: {"name": volume_name(inputs, key), "external": True} for key in sorted(used)
            },
        }

    def all_files(self) -> tuple[FileRequest, ...]:
        """Every file once for the release and once for its state, sites too."""
        found = {
            (item.target, item.is_state): item
            for part in self.mounts.values()
            for item in part.files
        }
        for site in self.inputs.spec.sites:
            target = f"sites/{site.name}"
            source = f"{self.inputs.spec.folder}/{site.folder}"
            found[target, False] = FileRequest(source, target)
        return tuple(found[key] for key in sorted(found))


def _jobs(inputs: RenderInputs) -> tuple[JobSpec, ...]:
    """Declared jobs, then Compose services that are jobs and that no declared job stands for."""
    declared = inputs.spec.jobs
    covered = {job.service for job in declared} | {job.name for job in declared}
    for job in declared:
        if inputs.role(job.service) is Role.REPLACED:
            raise InvalidSpec(f"jobs.{job.name}: {job.service} is replaced and never run")
    names = [name for name in running(inputs) if inputs.role(name) is Role.JOB]
    own = [
        JobSpec(name, name, None, is_migration="migrat" in name)
        for name in names
        if name not in covered
    ]
    return (*declared, *own)


def _service(inputs: RenderInputs, jobs: tuple[JobSpec, ...], name: str) -> ReleaseService:
    service, spec = inputs.service(name), inputs.spec.service(name)
    decision = next(item for item in inputs.decisions if item.service == name)
    keys, containers = _runs_as(inputs, jobs, name)
    check = service.get("healthcheck") or {}
    return ReleaseService(
        name=name,
        role=decision.role,
        reason=decision.reason,
        containers=containers,
        compose_services=keys,
        image=inputs.pins.get(name) if decision.role is not Role.REPLACED else None,
        drain_seconds=spec.drain_seconds,
        ready_seconds=spec.ready_seconds,
        stop_seconds=compose.seconds(service.get("stop_grace_period"), 10.0),
        has_healthcheck=bool(check) and not check.get("disable"),
        after=_after(inputs, name),
    )


def _runs_as(
    inputs: RenderInputs, jobs: tuple[JobSpec, ...], name: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Keys in the model and names of the containers."""
    role, number = inputs.role(name), inputs.number
    if role is Role.REPLACED:
        return (), ()
    if role is Role.STATE:
        return (name,), (service_container(inputs, name, 1),)
    if role is Role.JOB:
        mine = [job.name for job in jobs if job.service == name]
        keys = tuple(job_key(job, number) for job in mine)
        return keys, tuple(job_container(inputs.stack, job, number) for job in mine)
    replicas = range(1, inputs.replicas(name) + 1)
    keys = tuple(service_key(name, number, replica) for replica in replicas)
    return keys, tuple(service_container(inputs, name, replica) for replica in replicas)


def _after(inputs: RenderInputs, name: str) -> tuple[str, ...]:
    if not inputs.role(name).is_app_service:
        return ()
    waits = compose.depends_on(inputs.service(name))
    known = set(running(inputs))
    return tuple(sorted(key for key in waits if key in known and inputs.role(key).is_app_service))


def _routes(
    inputs: RenderInputs, addresses: dict[tuple[str, int], str]
) -> tuple[ReleaseRoute, ...]:
    routes = [_route(inputs, route, addresses) for route in inputs.spec.routes]
    for site in inputs.spec.sites:
        hosts = _hosts_here(inputs, f"sites.{site.name}", site.hosts)
        routes.append(ReleaseRoute(site.path, None, site=site.name, hosts=hosts))
    return tuple(sorted(routes, key=lambda item: (item.path, item.hosts)))


def _hosts_here(inputs: RenderInputs, what: str, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a route's hosts that the environment has; raises `InvalidSpec` when it has none."""
    environment = inputs.environment
    here = tuple(host for host in hosts if is_covered(host, environment.hosts))
    if not hosts or not environment.hosts or here:
        return here if environment.hosts else hosts
    raise InvalidSpec(
        f"{what}: none of its hosts ({', '.join(hosts)}) is one of {environment.name}, which has"
        f" {', '.join(environment.hosts)}; give the route a host of every environment"
    )


def _route(
    inputs: RenderInputs, route: RouteSpec, addresses: dict[tuple[str, int], str]
) -> ReleaseRoute:
    name = route.service
    if inputs.role(name) is not Role.ROUTED or (name, 1) not in addresses:
        mode = inputs.service(name).get("network_mode")
        why = f"shares a namespace ({mode})" if mode else f"has the role {inputs.role(name)}"
        raise InvalidSpec(f"route {route.path}: {name} {why}; only routed services take requests")
    upstreams = tuple(
        Upstream(service_container(inputs, name, replica), addresses[name, replica], route.port)
        for replica in range(1, inputs.replicas(name) + 1)
    )
    return ReleaseRoute(
        path=route.path,
        service=name,
        upstreams=upstreams,
        ready=route.ready,
        ready_status=route.ready_status,
        strip=route.strip,
        hosts=_hosts_here(inputs, f"route {route.path} of {name}", route.hosts),
        limit=inputs.spec.limits.get(name, Limits()).connections,
    )


def _volumes(inputs: RenderInputs, work: _Work) -> tuple[str, ...]:
    declared = inputs.model.get("volumes") or {}
    used = {key for part in work.mounts.values() for key in part.volumes}
    own = (
        key
        for key in used
        if not (declared.get(key) or {}).get("external") and key not in inputs.volume_names
    )
    return tuple(sorted(volume_name(inputs, key) for key in own))


def _two_writers(inputs: RenderInputs, work: _Work) -> tuple[str, ...]:
    """Only routed services of two releases run at once: consumers and singles take turns."""
    lines = set()
    for name, mounts in work.mounts.items():
        if inputs.role(name) is Role.ROUTED:
            lines |= {f"{written} ({name})" for written in mounts.written}
    return tuple(sorted(lines))


def _notes(inputs: RenderInputs, work: _Work) -> tuple[str, ...]:
    notes = [note for part in work.mounts.values() for note in part.notes]
    answers: tuple[RouteSpec | SiteSpec, ...] = (*inputs.spec.routes, *inputs.spec.sites)
    for host in inputs.environment.hosts if answers else ():
        if not reachable(answers, host) and not host.startswith("*."):
            notes.append(f"{host}: no route answers it")
    for name in running(inputs):
        written = (inputs.service(name).get("deploy") or {}).get("replicas") or 1
        wanted = inputs.environment.replicas.get(name, int(written))
        if wanted > inputs.replicas(name):
            notes.append(f"{name}: {wanted} replicas wanted, but a {inputs.role(name)} runs once")
        check = inputs.service(name).get("healthcheck") or {}
        if "start_interval" in check and inputs.engine_major < START_INTERVAL_ENGINE:
            notes.append(f"{name}: start_interval needs Engine 25 and is left out")
        if keeps_ports(inputs, name) and compose.ports_of(inputs.service(name)):
            shown = ", ".join(port.text for port in compose.ports_of(inputs.service(name)))
            notes.append(f"{name}: keeps its published ports {shown}")
    return tuple(sorted(set(notes)))
