"""What `berth init` guesses of an app (ports, paths, migrations), each with its reason."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from berthmaster.domain.spec import Role
from berthmaster.planner import commands
from berthmaster.planner import composemodel as compose
from berthmaster.planner.roles import RoleDecision

FRONTENDS: Final = ("client", "front", "frontend", "nginx", "spa", "ui", "website")
_BACKENDS: Final = ("api", "app", "backend", "server")
_URL: Final = re.compile(
    r"https?://(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0)(?::(\d+))?(/[A-Za-z0-9._~/-]*)?"
)
_BOUND: Final = re.compile(r"(?:0\.0\.0\.0:|\[::\]:|--port[ =]|-p )(\d{2,5})\b")
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
    caller = re.search(r"(\S+) calls it", decision.reason)
    if caller is None or caller[1] not in decisions:
        return True
    return decisions[caller[1]].role is Role.REPLACED


def paths(names: Sequence[str]) -> dict[str, str]:
    """A path for each service: one of them answers everything, the others get a prefix."""
    rest = list(names)
    front = next((name for name in rest if name in FRONTENDS), None)
    if front is None:
        front = next((name for name in rest if name == "web"), rest[0])
    found = {front: "/"}
    rest.remove(front)
    for name in rest:
        taken = set(found.values())
        is_api = name in _BACKENDS and "/api" not in taken
        found[name] = "/api" if is_api else f"/{name.lower()}"
    return found


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
