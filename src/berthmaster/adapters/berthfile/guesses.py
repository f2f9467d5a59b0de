"""What `berth init` guesses of an app (ports, paths, migrations), each with its reason."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from berthmaster.domain.spec import Role
from berthmaster.planner import commands
from berthmaster.planner import composemodel as compose
from berthmaster.planner.roles import RoleDecision, routing_label

FRONTENDS: Final = ("client", "front", "frontend", "nginx", "spa", "ui", "website")
_BACKENDS: Final = ("api", "app", "backend", "server")
_URL: Final = re.compile(
    r"https?://(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0)(?::(\d+))?(/[A-Za-z0-9._~/-]*)?"
)
_BOUND: Final = re.compile(r"(?:0\.0\.0\.0:|\[::\]:|--port[ =]|-p |[ =]:)(\d{2,5})\b")
_RULE_PATH: Final = re.compile(r"PathPrefix\(\s*[`'\"](/[A-Za-z0-9._~/-]*)[`'\"]")
_RULE_HOST: Final = re.compile(r"Host\(\s*([^)]*)\)")
_QUOTED: Final = re.compile(r"[`'\"]([A-Za-z0-9][A-Za-z0-9.-]+)[`'\"]")
_UPSTREAM: Final = re.compile(r"(?<![\w.-])([A-Za-z][\w-]*):(\d{2,5})\b")
_MAX_CONFIGS: Final = 20
_MAX_CONFIG_BYTES: Final = 200_000
_SKIPPED: Final = frozenset({".git", ".venv", "build", "dist", "node_modules", "vendor", "venv"})
_MAX_FOLDERS: Final = 500  # a first look must not walk a whole disk
_MAX_DEPTH: Final = 3
_MIGRATIONS: Final = (
    ("manage.py", ("python", "manage.py", "migrate", "--noinput")),
    ("alembic.ini", ("alembic", "upgrade", "head")),
    ("schema.prisma", ("npx", "prisma", "migrate", "deploy")),
    ("bin/rails", ("bin/rails", "db:migrate")),
    ("artisan", ("php", "artisan", "migrate", "--force")),
)
_TENANT_MIGRATION: Final = ("python", "manage.py", "migrate_schemas", "--noinput")


def is_public(name: str, decisions: Mapping[str, RoleDecision]) -> bool:
    """Whether a service takes requests from outside, not only from another one of the release."""
    decision = decisions[name]
    if decision.role is not Role.ROUTED:
        return False
    if "routes to it" in decision.reason or f" names {name}:" in decision.reason:
        return True
    caller = re.search(r"(\S+) calls it", decision.reason)
    if caller is None or caller[1] not in decisions:
        return True
    return decisions[caller[1]].role is Role.REPLACED


def paths(names: Sequence[str], written: Mapping[str, str]) -> dict[str, str]:
    """A path for each service: one of them answers everything, the others get a prefix.

    `written` are paths that labels name; two that are alike are as good as none.
    """
    counted = Counter(written.values())
    told = {name: written[name] for name in names if counted.get(written.get(name, "")) == 1}
    rest = [name for name in names if name not in told]
    if not rest or "/" in told.values():
        return told | {name: f"/{name.lower()}" for name in rest}
    front = next((name for name in rest if name in FRONTENDS), None)
    if front is None:
        front = next((name for name in rest if name == "web"), rest[0])
    found = {**told, front: "/"}
    rest.remove(front)
    for name in rest:
        taken = set(found.values())
        is_api = name in _BACKENDS and "/api" not in taken
        found[name] = "/api" if is_api else f"/{name.lower()}"
    return found


def own_by_evidence(model: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Services whose image somebody built for this app, and what shows it.

    A command of a known framework, a label for a proxy, or a proxy whose configuration names them.
    """
    services = compose.services_of(model)
    called = proxied(model, folder)
    found = {}
    for name, service in services.items():
        image = compose.image_name(str(service.get("image") or ""))
        if image in commands.DATABASES | commands.TOOLS | commands.PROXIES:
            continue
        words = " ".join(compose.command_of(service))
        tables = (*commands.SINGLES, *commands.CONSUMERS)
        if commands.SERVERS.search(words) or any(one.search(words) for one, _ in tables):
            found[name] = "runs the app's code"
        elif routing_label(service):
            found[name] = "a proxy routes to it"
        elif name in called:
            found[name] = f"{called[name][1]} names {name}:{called[name][0]}"
    return found


def proxied(model: Mapping[str, Any], folder: Path) -> dict[str, tuple[int, str]]:
    """Services that the configuration of a proxy in the stack names: port, and the file's name."""
    services = compose.services_of(model)
    found: dict[str, tuple[int, str]] = {}
    for service in services.values():
        if compose.image_name(str(service.get("image") or "")) not in commands.PROXIES:
            continue
        for path in _small_files(service, folder):
            text = path.read_text(encoding="utf-8", errors="replace")
            for match in _UPSTREAM.finditer(text):
                if match[1] in services and int(match[2]) < 65536:
                    found.setdefault(match[1], (int(match[2]), path.name))
    return found


def _small_files(service: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """Files of the app that a proxy mounts; never one outside the app's folder."""
    root = folder.resolve()
    for mount in compose.mounts_of(service):
        path = Path(mount.source)
        if mount.kind != "bind" or not path.resolve().is_relative_to(root):
            continue
        inside = sorted(path.iterdir())[:_MAX_CONFIGS] if path.is_dir() else [path]
        yield from (
            one for one in inside if one.is_file() and one.stat().st_size <= _MAX_CONFIG_BYTES
        )


def rules_of(service: Mapping[str, Any]) -> list[str]:
    """The rules of Traefik's routers, from labels."""
    labels = compose.labels_of(service)
    return [str(labels[key]) for key in sorted(labels) if key.endswith(".rule")]


def rule_path(service: Mapping[str, Any]) -> str | None:
    """The one path prefix that a service's rules name; `/` for rules without one."""
    rules = rules_of(service)
    if not rules:
        return None
    found = [path for rule in rules for path in _RULE_PATH.findall(rule)]
    return (found[0].rstrip("/") or "/") if found else "/"


def rule_hosts(service: Mapping[str, Any]) -> list[str]:
    """The hosts that a service's rules name; one with a variable in it was rendered already."""
    found = [host for rule in rules_of(service) for host in _RULE_HOST.findall(rule)]
    return [name for part in found for name in _QUOTED.findall(part) if "." in name]


def label_port(service: Mapping[str, Any]) -> int | None:
    """The port that a label tells Traefik."""
    for key, value in compose.labels_of(service).items():
        if key.endswith(".loadbalancer.server.port") and str(value).isdigit():
            return int(str(value))
    return None


def port_of(versions: Sequence[Mapping[str, Any]]) -> tuple[int, str | None, str]:
    """Port, readiness path and where the port was seen; `versions` is a service by environment."""
    port, ready, why = None, None, ""
    for service in versions:
        asked = _healthcheck(service)
        ready = ready or asked[1]
        for seen, reason in _ports(service, asked[0]):
            if port is None:
                port, why = seen, reason
    if port is None:
        return 8000, ready, "nothing shows the port"
    return port, ready, why


def _ports(service: Mapping[str, Any], asked: int | None) -> Iterator[tuple[int, str]]:
    labelled = label_port(service)
    if labelled is not None:
        yield labelled, f"its label names port {labelled}"
    for published in compose.ports_of(service):
        if published.protocol == "tcp" and published.target not in commands.OTHER_PORTS:
            yield published.target, f"publishes port {published.target}"
    if asked is not None:
        yield asked, f"its healthcheck asks port {asked}"
    bound = _BOUND.search(" ".join(compose.command_of(service)))
    if bound:
        yield int(bound[1]), f"its command listens on {bound[1]}"
    for exposed in service.get("expose") or ():
        number = str(exposed).partition("/")[0]
        if number.isdigit():
            yield int(number), f"exposes port {number}"


def _healthcheck(service: Mapping[str, Any]) -> tuple[int | None, str | None]:
    test = " ".join(compose.strings_in((service.get("healthcheck") or {}).get("test")))
    match = _URL.search(test)
    if match is None:
        return None, None
    path = match[2] if match[2] and ".." not in match[2] and "//" not in match[2] else None
    return int(match[1] or 80), path


def migration(folder: Path) -> tuple[tuple[str, ...], str] | None:
    """The command that migrates the database, by the files that frameworks have."""
    files = list(_walk(folder))
    for wanted, command in _MIGRATIONS:
        found = [path for path in files if path == wanted or path.endswith(f"/{wanted}")]
        if found:
            is_tenants = wanted == "manage.py" and _mentions(folder, files, "django-tenants")
            return _TENANT_MIGRATION if is_tenants else command, f"there is {found[0]}"
    return None


def _walk(folder: Path) -> Iterator[str]:
    for count, (path, folders, files) in enumerate(os.walk(folder)):
        relative = Path(path).relative_to(folder)
        is_deep = len(relative.parts) >= _MAX_DEPTH
        folders[:] = [] if is_deep else sorted(set(folders) - _SKIPPED)
        yield from ((relative / name).as_posix() for name in sorted(files))
        if count >= _MAX_FOLDERS:
            return


def _mentions(folder: Path, files: Sequence[str], package: str) -> bool:
    """Whether a file of requirements names a package."""
    for name in files:
        if Path(name).name.startswith("requirements") or name.endswith("pyproject.toml"):
            text = (folder / name).read_text(encoding="utf-8", errors="replace")[:200_000]
            if package in text.lower().replace("_", "-"):
                return True
    return False
