"""What a Compose file may not ask for, checked on the fully rendered model.

Pure. Compose is code that runs as root: each rule looks at both syntaxes, because a checker that
knew only one of them has let attackers through elsewhere. An override is written in `berth.yaml`
and is recorded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from berthmaster.domain.spec import Allowance, AppSpec, EnvironmentSpec, Role
from berthmaster.planner import composemodel as compose
from berthmaster.planner import hostaccess, imagerules
from berthmaster.planner.mounting import inside, is_declared_data
from berthmaster.planner.roles import RoleDecision

Finding = tuple[str, str, str]  # rule, evidence, remedy


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that the policy refuses, unless `is_allowed_by` names the override."""

    service: str  # empty for a volume or network of the app
    rule: str  # what `policy.allow` names, e.g. `privileged`
    evidence: str
    remedy: str
    is_allowed_by: Allowance | None = None


def check_policy(
    model: Mapping[str, Any],
    decisions: Sequence[RoleDecision],
    spec: AppSpec,
    environment: str,
    named: frozenset[str] = frozenset(),
) -> tuple[Violation, ...]:
    """List every violation, allowed ones too, sorted by service and rule; raises nothing for them.

    `named` holds the services whose image was named on the command line (`--tag`, `--image`): a
    mutable tag that a person typed is accepted, and recorded as a digest. Services that are
    replaced never run and are not looked at.
    """
    there = spec.environments[environment]
    never_run = {item.service for item in decisions if item.role is Role.REPLACED}
    found: set[Violation] = set()
    for name, service in compose.services_of(model).items():
        if name in never_run:
            continue
        findings = [*hostaccess.findings(service), *_mounts(name, service, spec, there)]
        if there.is_strict:
            findings += imagerules.findings(service, is_named=name in named)
        findings += _files(name, service, model, spec)
        found |= {_violation(name, finding, there) for finding in findings}
    used = {name: service for name, service in model["services"].items() if name not in never_run}
    if there.tenant is not None:
        found |= {_violation("", finding, there) for finding in _shared_volumes(model, used)}
    found |= {_violation("", finding, there) for finding in _volumes(model, used)}
    found |= {_violation(name, finding, there) for name, finding in _writers(used, decisions)}
    return tuple(sorted(found, key=lambda item: (item.service, item.rule, item.evidence)))


def _violation(service: str, finding: Finding, there: EnvironmentSpec) -> Violation:
    rule, evidence, remedy = finding
    matching = (item for item in there.allow if (item.service, item.rule) == (service, rule))
    return Violation(service, rule, evidence, remedy, next(matching, None))


def _mounts(
    name: str, service: Mapping[str, Any], spec: AppSpec, there: EnvironmentSpec
) -> Iterator[Finding]:
    known = spec.service(name)
    for mount in compose.mounts_of(service):
        if mount.kind not in ("bind", "npipe"):
            continue
        relative = inside(spec.folder, mount.source)
        socket = hostaccess.reaches_socket(mount.source)
        if socket:
            remedy = "whoever has the socket is root on this server; take the mount out"
            yield "docker_socket", f"mounts {mount.source}", remedy
        elif ".." in mount.source.split("/") or mount.source.startswith("~"):
            yield "outside_bind", f"mounts {mount.source}", "use a path inside the app's folder"
        elif relative is None and not _is_listed(mount.source, known.binds):
            remedy = f"list it in berth.yaml: services.{name}.binds: [{mount.source}]"
            yield "absolute_bind", f"mounts {mount.source} of the host", remedy
        elif there.rehearsal is not None and not mount.is_read_only:
            remedy = "give it a volume in a file of `rehearsal.compose`"
            yield "tenant_bind", f"may write {mount.source}, which production writes too", remedy
        elif there.tenant is not None and not mount.is_read_only:
            remedy = "keep a tenant's data in a volume: a folder is the same for all of them"
            yield "tenant_bind", f"may write {mount.source}, which every tenant has", remedy
        elif relative is None or mount.is_read_only or not there.is_strict:
            continue
        elif not is_declared_data(relative, known.data):
            remedy = f"make it read-only, or declare it: services.{name}.data: [{relative}]"
            yield "writable_bind", f"may write {relative} beside the Compose files", remedy


def _is_listed(path: str, binds: tuple[str, ...]) -> bool:
    """Only the path itself: a folder above it holds more than was agreed to."""
    return path.rstrip("/") in {bind.rstrip("/") for bind in binds}


def _files(
    name: str, service: Mapping[str, Any], model: Mapping[str, Any], spec: AppSpec
) -> Iterator[Finding]:
    """Configs and secrets are copied by root: a path outside could carry any file of the host."""
    known = spec.service(name).binds
    for section in ("configs", "secrets"):
        for item in service.get(section) or ():
            key = str(item["source"] if isinstance(item, Mapping) else item)
            file = str(((model.get(section) or {}).get(key) or {}).get("file") or "")
            if file and inside(spec.folder, file) is None and not _is_listed(file, known):
                remedy = f"move it into the app's folder, or list it: services.{name}.binds"
                yield "outside_file", f"{section[:-1]} {key} is the file {file}", remedy


def _writers(
    used: Mapping[str, Any], decisions: Sequence[RoleDecision]
) -> Iterator[tuple[str, Finding]]:
    """Whatever a state service keeps its data in has one writer: two of them destroy it (D1)."""
    state = {item.service for item in decisions if item.role is Role.STATE}
    owners: dict[str, str] = {}
    for name in sorted(used, key=lambda item: (item not in state, item)):
        for mount in compose.mounts_of(used[name] or {}):
            if mount.is_read_only or not mount.source or mount.kind not in ("volume", "bind"):
                continue
            if name in state:
                owner = owners.setdefault(mount.source, name)
            else:
                owner = owners.get(mount.source, name)
            if owner != name:
                what = f"may write {mount.kind} {mount.source}, which {owner} keeps its data in"
                remedy = "mount it with `read_only: true`, or give it one of its own"
                yield name, ("shared_data", what, remedy)


def _shared_volumes(model: Mapping[str, Any], used: Mapping[str, Any]) -> Iterator[Finding]:
    """An external volume is one for all tenants: none of them may write it."""
    written = {
        mount.source
        for service in used.values()
        for mount in compose.mounts_of(service or {})
        if mount.kind == "volume" and not mount.is_read_only
    }
    for key, volume in sorted((model.get("volumes") or {}).items()):
        if (volume or {}).get("external") and key in written:
            remedy = "take `external` away, so that each tenant has one, or mount it read-only"
            yield "tenant_volume", f"volume {key} is external: every tenant would write it", remedy


def _volumes(model: Mapping[str, Any], used: Mapping[str, Any]) -> Iterator[Finding]:
    keys = {mount.source for service in used.values() for mount in compose.mounts_of(service or {})}
    for key, volume in sorted((model.get("volumes") or {}).items()):
        options = (volume or {}).get("driver_opts") or {}
        driver = str((volume or {}).get("driver") or "local")
        if key not in keys or not (options or driver != "local"):
            continue
        shown = ", ".join(f"{name}={options[name]}" for name in sorted(options) if name != "o")
        remedy = "create the volume yourself and declare it `external: true`"
        yield "volume_driver", f"volume {key} has driver {driver} {shown}".rstrip(), remedy
