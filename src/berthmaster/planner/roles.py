"""What each service is to a deployment, and why.

Pure: reads the model that `docker compose config` printed and `berth.yaml`; asks nothing outside.
A wrong guess could put two writers on one database, so whatever is not clear is marked as a guess,
and in strict environments a guess is an error that asks for `services.<name>.role`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from berthmaster.domain.errors import InvalidSpec
from berthmaster.domain.spec import AppSpec, Role
from berthmaster.planner import commands
from berthmaster.planner import composemodel as compose


@dataclass(frozen=True, slots=True)
class RoleDecision:
    """One service's role with the reason that the plan prints."""

    service: str
    role: Role
    reason: str
    is_ambiguous: bool = False  # a guess: strict environments want it written down


def decide_roles(
    model: Mapping[str, Any],
    spec: AppSpec,
    environment: str,
    versioned: frozenset[str] = frozenset(),
    *,
    is_lenient: bool = False,
) -> tuple[RoleDecision, ...]:
    """Decide the role of every service of the model, sorted by name.

    `versioned` names the services whose image tag comes from the release variable (interpolation is
    no longer visible in the model; `Specs.versioned_services` knows). Raises `InvalidSpec` naming
    all ambiguous services when the environment is strict, unless `is_lenient`, and services that
    only `berth.yaml` knows.
    """
    _check_known(model, spec)
    decisions = guess_roles(model, spec, versioned)
    unclear = [item for item in decisions if item.is_ambiguous]
    if unclear and spec.environments[environment].is_strict and not is_lenient:
        lines = "\n".join(
            f"  services.{item.service}.role: {item.role}   # a guess: {item.reason}"
            for item in unclear
        )
        raise InvalidSpec(
            f"{environment} is strict and the role of {len(unclear)} service(s) is not clear;"
            f" write it in berth.yaml, for example:\n{lines}",
            location="berth.yaml",
        )
    return decisions


def guess_roles(
    model: Mapping[str, Any],
    spec: AppSpec,
    versioned: frozenset[str] = frozenset(),
    own: Mapping[str, str] | None = None,
) -> tuple[RoleDecision, ...]:
    """The same without complaint, for `init` and for environments that are not strict.

    `own` names services that are the app's by other evidence, with that evidence in words.
    """
    facts = _Facts(model, spec, versioned, own or {})
    return tuple(_decide(facts, name) for name in compose.services_of(model))


def answered_port(service: Mapping[str, Any]) -> int | None:
    """The port at which ready-made software of others takes requests; None when it seems not to.

    Databases, brokers and tools for developers publish ports too, and none of them is a site.
    """
    name = compose.image_name(str(service.get("image") or ""))
    if name in commands.DATABASES | commands.TOOLS | commands.PROXIES:
        return None
    for port in compose.ports_of(service):
        if port.protocol == "tcp" and port.target not in commands.OTHER_PORTS:
            return port.target
    return None


def routing_label(service: Mapping[str, Any]) -> str | None:
    """The label by which a reverse proxy that reads labels finds a service; None without one."""
    labels = compose.labels_of(service)
    return next((key for key in sorted(labels) if commands.ROUTING_LABELS.match(key)), None)


def data_of(service: Mapping[str, Any]) -> str:
    """Where a service keeps data, in words; empty when it writes to no volume and no folder."""
    where = _where_data_is(service)
    return where if where.startswith("data") else ""


def _check_known(model: Mapping[str, Any], spec: AppSpec) -> None:
    known = compose.services_of(model)
    asked = {route.service: "routes" for route in spec.routes}
    asked |= {job.service: f"jobs.{job.name}" for job in spec.jobs}
    missing = sorted(
        f"{where} names `{name}`" for name, where in asked.items() if name not in known
    )
    if missing:
        raise InvalidSpec(
            f"{'; '.join(missing)}, which no Compose file of this environment has"
            f" (they have: {', '.join(known)})",
            location="berth.yaml",
        )


class _Facts:
    """What is worked out once over all services."""

    def __init__(
        self,
        model: Mapping[str, Any],
        spec: AppSpec,
        versioned: frozenset[str],
        told: Mapping[str, str] | None = None,
    ) -> None:
        self.told = told or {}
        self.services = compose.services_of(model)
        self.spec = spec
        self.versioned = versioned
        self.routed = {route.service for route in spec.routes}
        self.waited_for = {
            name: waiting
            for waiting, service in self.services.items()
            for name, condition in compose.depends_on(service).items()
            if condition == "service_completed_successfully"
        }
        self.own = self._own_repositories()

    def image(self, name: str) -> str:
        return str(self.services[name].get("image") or "")

    def _own_repositories(self) -> dict[str, str]:
        """Repositories that the app itself publishes, with the service that shows it."""
        found: dict[str, str] = {}
        for name, service in self.services.items():
            is_own = name in self.routed or name in self.versioned or service.get("build")
            is_own = is_own or name in self.told
            if is_own and self.image(name):
                found.setdefault(compose.repository_of(self.image(name)), name)
        return found


def _decide(facts: _Facts, name: str) -> RoleDecision:
    written = facts.spec.service(name).role
    if written is not None:
        return RoleDecision(name, written, "berth.yaml says so")
    if name in facts.routed:
        return RoleDecision(name, Role.ROUTED, "berth.yaml routes to it")
    if name in facts.waited_for:
        reason = f"{facts.waited_for[name]} waits until it has completed"
        return RoleDecision(name, Role.JOB, reason)
    own = _why_own(facts, name)
    return _app_service(facts, name, own) if own else _foreign(facts, name)


def _why_own(facts: _Facts, name: str) -> str | None:
    if facts.services[name].get("build"):
        return "is built from this app"
    if name in facts.versioned:
        return f"its tag is {facts.spec.release_variable}"
    if name in facts.told:
        return facts.told[name]
    shown_by = facts.own.get(compose.repository_of(facts.image(name)))
    return f"has the image of {shown_by}" if shown_by else None


def _foreign(facts: _Facts, name: str) -> RoleDecision:
    """A third-party image: a reverse proxy is stood in for, everything else may keep data."""
    service, image = facts.services[name], facts.image(name)
    if compose.image_name(image) in commands.PROXIES:
        return _proxy(name, service, image)
    return RoleDecision(name, Role.STATE, f"third-party image {image}, {_where_data_is(service)}")


def _proxy(name: str, service: Mapping[str, Any], image: str) -> RoleDecision:
    ports = compose.ports_of(service)
    public = [port for port in ports if port.published in ("80", "443")]
    if public:
        shown = " and ".join(sorted({port.published for port in public}, key=int))
        return RoleDecision(
            name, Role.REPLACED, f"reverse proxy {image} publishing {shown}: the gateway stands in"
        )
    if ports:
        shown = ", ".join(port.text for port in ports)
        return RoleDecision(
            name, Role.REPLACED, f"reverse proxy {image} publishing {shown}", is_ambiguous=True
        )
    return RoleDecision(
        name, Role.STATE, f"{image} is a web server that publishes nothing", is_ambiguous=True
    )


def _where_data_is(service: Mapping[str, Any]) -> str:
    mounts = [mount for mount in compose.mounts_of(service) if not mount.is_read_only]
    volumes = sorted(m.source for m in mounts if m.kind == "volume" and m.source)
    if volumes:
        return f"data in volume {', '.join(volumes)}"
    if any(mount.kind == "bind" for mount in mounts):
        return "data in a bind mount"
    return "without a volume: what it holds in memory is data too"


def _app_service(facts: _Facts, name: str, own: str) -> RoleDecision:
    service = facts.services[name]
    data = _data_folder(service, facts.image(name))
    if data:
        return RoleDecision(name, Role.STATE, f"{own}, but {data}", is_ambiguous=True)
    words = " ".join(compose.command_of(service))
    for role, table in ((Role.SINGLE, commands.SINGLES), (Role.CONSUMER, commands.CONSUMERS)):
        for pattern, what in table:
            if pattern.search(words):
                return RoleDecision(name, role, f"{own}, {what}")
    evidence = _why_routed(facts, name, words)
    if evidence:
        return RoleDecision(name, Role.ROUTED, f"{own}, {evidence}")
    return _unclear(name, own)


def _data_folder(service: Mapping[str, Any], image: str) -> str | None:
    """A database that the app builds itself must not be doubled by a release."""
    for mount in compose.mounts_of(service):
        if not mount.is_read_only and mount.target.startswith(commands.DATA_FOLDERS):
            return f"keeps data in {mount.target}"
    if compose.image_name(image) in commands.DATABASES:
        return f"is a database by its name ({compose.image_name(image)})"
    return None


def _why_routed(facts: _Facts, name: str, words: str) -> str | None:
    service = facts.services[name]
    for port in compose.ports_of(service):
        if port.protocol == "tcp" and port.target not in commands.OTHER_PORTS:
            return f"publishes port {port.target}"
    if by := routing_label(service):
        return f"its label {by} routes to it"
    if f" names {name}:" in facts.told.get(name, ""):
        return "a proxy passes requests to it"
    caller = _caller(facts, name)
    if caller:
        return f"{caller} calls it (takes requests inside the release)"
    server = commands.SERVERS.search(words)
    if server:
        return f"runs `{server.group()}`"
    test = " ".join(compose.strings_in((service.get("healthcheck") or {}).get("test")))
    asked = re.search(r"https?://(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0)(?::(\d+))?", test)
    return f"its healthcheck asks port {asked.group(1) or 80}" if asked else None


def _caller(facts: _Facts, name: str) -> str | None:
    """Another service with this one's address among its settings, or a proxy that waits for it."""
    address = re.compile(
        rf"(?:^|[/@\s,=]){re.escape(name)}:\d+|https?://{re.escape(name)}(?:[:/]|$)"
    )
    for other, service in facts.services.items():
        if other == name:
            continue
        texts = [*(value or "" for value in compose.environment_of(service).values())]
        texts += compose.command_of(service)
        if any(address.search(text) for text in texts):
            return other
        is_proxy = compose.image_name(facts.image(other)) in commands.PROXIES
        if is_proxy and name in compose.depends_on(service):
            return other
    return None


def _unclear(name: str, own: str) -> RoleDecision:
    if commands.SINGLE_NAMES.search(name):
        return RoleDecision(name, Role.SINGLE, f"{own}, named like a scheduler", is_ambiguous=True)
    if commands.CONSUMER_NAMES.search(name):
        return RoleDecision(name, Role.CONSUMER, f"{own}, named like a worker", is_ambiguous=True)
    reason = f"{own}, and nothing shows whether it takes requests"
    return RoleDecision(name, Role.SINGLE, reason, is_ambiguous=True)
