"""The text of a first `berth.yaml`, guessed from the Compose files, each line with its reason.

Whatever is a guess says so. Decides nothing by itself: roles come from the planner, and the file is
the user's to change.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.berthfile import compose_files, guesses
from berthmaster.adapters.berthfile.convert import COMPOSE_NAMES, RELAXED
from berthmaster.domain.spec import AppSpec, EnvironmentSpec, Role
from berthmaster.planner import composemodel as compose
from berthmaster.planner.mounting import inside
from berthmaster.planner.roles import RoleDecision, answered_port, data_of, guess_roles

DEFAULT_RELEASE_VARIABLE: Final = "IMAGE_TAG"
_PLAIN: Final = re.compile(r"[A-Za-z0-9/._][A-Za-z0-9/._-]*\Z")
_OVERLAY: Final = re.compile(r"(?:docker-)?compose[.-]([a-z0-9]+)\.ya?ml\Z")
_SAME: Final = {
    "dev": ("dev", "development", "local", "override"),
    "prod": ("prod", "production"),
    "stage": ("stage", "staging"),
}


@dataclass(frozen=True, slots=True)
class _App:
    """What is known of the app folder."""

    name: str
    folder: Path
    models: Mapping[str, Mapping[str, Any]]  # by environment, production first
    files: Mapping[str, tuple[str, ...]]
    decisions: Mapping[str, RoleDecision]
    release_variable: str | None = None
    proxied: Mapping[str, tuple[int, str]] = field(default_factory=dict)  # by a proxy's files

    def versions(self, service: str) -> list[Mapping[str, Any]]:
        """A service in every environment that has it."""
        all_services = (compose.services_of(model) for model in self.models.values())
        return [services[service] for services in all_services if service in services]


def propose(folder: Path, models: Mapping[str, Mapping[str, Any]]) -> str:
    """A commented `berth.yaml` from rendered Compose models by environment."""
    app = _look_at(folder, models)
    sections = (_head(app), _routes(app), _services(app), _jobs(app), _environments(app))
    return "\n\n".join("\n".join(lines) for lines in map(list, sections) if lines) + "\n"


def _look_at(folder: Path, models: Mapping[str, Mapping[str, Any]]) -> _App:
    ordered = dict(sorted(models.items(), key=lambda item: (item[0] != "prod", item[0])))
    files = {name: _files_of(folder, name) for name in ordered}
    name = _app_name(folder, files)
    environments = {key: EnvironmentSpec(key, value) for key, value in files.items()}
    variable = _release_variable(folder, ordered, files)
    spec = AppSpec(
        name,
        str(folder),
        environments,
        release_variable=variable or DEFAULT_RELEASE_VARIABLE,
    )
    decisions: dict[str, RoleDecision] = {}
    for key, model in ordered.items():
        read = compose_files.read_compose_files(folder, files[key])
        versioned = compose_files.versioned_services(read, spec.release_variable)
        own = guesses.own_by_evidence(model, folder)
        for guessed in guess_roles(model, spec, versioned, own):
            decision = _ready_made(guessed, compose.services_of(model)[guessed.service])
            known = decisions.get(decision.service)
            if known is None or (known.is_ambiguous and not decision.is_ambiguous):
                decisions[decision.service] = decision
    called = {
        key: one for item in ordered.values() for key, one in guesses.proxied(item, folder).items()
    }
    return _App(name, folder, ordered, files, dict(sorted(decisions.items())), variable, called)


def _ready_made(decision: RoleDecision, service: Mapping[str, Any]) -> RoleDecision:
    """Software of others that takes requests and keeps nothing is replaced like an own service."""
    port = answered_port(service)
    if decision.role is not Role.STATE or decision.is_ambiguous or port is None:
        return decision
    if service.get("build") is not None or data_of(service):
        return decision
    reason = f"third-party image {service['image']} publishes port {port} and keeps no data"
    return RoleDecision(decision.service, Role.ROUTED, reason, is_ambiguous=True)


def _release_variable(
    folder: Path,
    models: Mapping[str, Mapping[str, Any]],
    files: Mapping[str, tuple[str, ...]],
) -> str | None:
    """The variable that tags what the app builds itself; None when there is none."""
    built = {
        name
        for model in models.values()
        for name, service in compose.services_of(model).items()
        if service.get("build") is not None
    }
    for names in files.values():
        read = compose_files.read_compose_files(folder, names)
        if found := compose_files.tag_variables(read, built):
            return found[0]
    return None


def _files_of(folder: Path, environment: str) -> tuple[str, ...]:
    """The base file and the overlay that is named after the environment."""
    base = [name for name in COMPOSE_NAMES if (folder / name).is_file()][:1]
    wanted = _SAME.get(environment, (environment,))
    overlays = sorted(
        path.name
        for path in folder.iterdir()
        if (match := _OVERLAY.match(path.name)) and match[1] in wanted
    )
    return (*base, *overlays[:1])


def _app_name(folder: Path, files: Mapping[str, tuple[str, ...]]) -> str:
    first = next(iter(files.values()), ())
    named = ""
    for file in compose_files.read_compose_files(folder, first[:1]):
        data = file.document.data
        named = str((data if isinstance(data, dict) else {}).get("name") or "")
    text = named if named and "$" not in named else folder.resolve().name
    cleaned = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-0123456789")
    return cleaned[:31].rstrip("-") or "app"


def _head(app: _App) -> Iterator[str]:
    read = ", ".join(dict.fromkeys(name for files in app.files.values() for name in files))
    yield f"# Written by `berth init` from {read}."
    yield "# It is yours to change; look at lines with `guess`. `berth check` says what is missing."
    yield f"app: {app.name}"
    if app.release_variable not in (None, DEFAULT_RELEASE_VARIABLE):
        yield f"release_variable: {app.release_variable}  # the tag of your images, set by --tag"


def _routes(app: _App) -> Iterator[str]:
    names = [name for name in app.decisions if guesses.is_public(name, app.decisions)]
    if not names:
        yield "# No service seems to take requests. If one does:"
        yield "# routes: [{path: /, service: NAME, port: 8000, ready: /health}]"
        return
    yield "routes:"
    written = {
        name: path
        for name in names
        for version in app.versions(name)[:1]
        if (path := guesses.rule_path(version)) is not None
    }
    for name, path in guesses.paths(names, written).items():
        port, ready, why = guesses.port_of(app.versions(name))
        if name in app.proxied:
            port, why = app.proxied[name][0], f"{app.proxied[name][1]} names {name}"
        fields = [f"path: {path}", f"service: {name}", f"port: {port}"]
        fields += [f"ready: {ready}"] if ready else []
        yield f"  - {{{', '.join(fields)}}}  # guess: {why}"


def _services(app: _App) -> Iterator[str]:
    yield "services:"
    for name, decision in app.decisions.items():
        fields = [f"role: {decision.role.value}"]
        fields += [f"{key}: {_list(found)}" for key, found in _folders(app, name) if found]
        mark = "guess: " if decision.is_ambiguous else ""
        yield f"  {name}: {{{', '.join(fields)}}}  # {mark}{decision.reason}"
        if decision.role is Role.REPLACED:
            port = guesses.port_of(app.versions(name))[0]
            route = f"{{path: /, service: {name}, port: {port}}}"
            yield "  # To keep it behind the router instead, delete the line above and make this"
            yield f"  # the only route: {route}"


def _folders(app: _App, name: str) -> Iterator[tuple[str, list[str]]]:
    """Host folders and own folders that a service may write, for a strict environment."""
    decision = app.decisions[name]
    if decision.role is Role.REPLACED:
        return
    binds, data = set(), set()
    for environment, model in app.models.items():
        service = compose.services_of(model).get(name)
        if service is None or environment == RELAXED:
            continue
        for mount in compose.mounts_of(service):
            relative = inside(str(app.folder.absolute()), mount.source)
            if mount.kind == "bind" and relative is None:
                binds.add(mount.source)
            elif mount.kind == "bind" and relative and not mount.is_read_only:
                data.add(relative)
    yield "binds", sorted(binds)
    yield "data", sorted(data)


def _jobs(app: _App) -> Iterator[str]:
    if any(item.role is Role.JOB and "migrat" in item.service for item in app.decisions.values()):
        return
    found = guesses.migration(app.folder)
    routed = [name for name, item in app.decisions.items() if item.role is Role.ROUTED]
    if found is None or not routed:
        return
    command, why = found
    service = next((name for name in routed if name not in guesses.FRONTENDS), routed[0])
    yield "jobs:"
    yield f"  # guess: {why}. `compatible: no` when old code cannot run on the new schema."
    yield f"  migrate: {{service: {service}, command: {_list(command)}, compatible: yes}}"


def _environments(app: _App) -> Iterator[str]:
    yield "environments:"
    written = _hosts_in_labels(app)
    for name in app.models:
        host = f"{app.name}.localhost" if name == "prod" else f"{name}.{app.name}.localhost"
        is_written = bool(written) and name == "prod"
        hosts = _list(written) if is_written else f"[{host}]"
        why = "labels name these hosts" if is_written else "guess: write your host names"
        yield f"  {name}: {{compose: {_list(app.files[name])}, hosts: {hosts}}}  # {why}"


def _hosts_in_labels(app: _App) -> list[str]:
    found = [
        host
        for name in app.decisions
        for version in app.versions(name)[:1]
        for host in guesses.rule_hosts(version)
    ]
    return sorted(set(found))


def _list(items: Sequence[str]) -> str:
    return f"[{', '.join(_quoted(item) for item in items)}]"


def _quoted(text: str) -> str:
    return text if _PLAIN.match(text) and not text[:1].isdigit() else json.dumps(text)
