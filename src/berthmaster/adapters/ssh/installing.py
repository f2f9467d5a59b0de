"""Putting Berthmaster on a server that has none, or another one: asks, sends, installs.

What runs there is one fixed line that reads a fixed program (`far_install.py`) from its input.
"""

import hashlib
import json
import shlex
from collections.abc import Callable
from importlib import resources
from typing import Any, Final

from berthmaster.adapters.ssh import wheels
from berthmaster.adapters.ssh.system import SystemSsh, run_fixed
from berthmaster.domain.elsewhere import ServerEntry
from berthmaster.domain.errors import NotFound, OutsideError

_LOADER: Final = "import sys;i=sys.stdin.buffer;exec(i.read(int(i.readline())))"
_REMOTE: Final = ("python3", "-I", "-c", shlex.quote(_LOADER))
_PROBE_SECONDS, _INSTALL_SECONDS = 120.0, 900.0
_LEAST_COMPOSE: Final = (2, 24)
_LEAST_ENGINE: Final = (20, 10)
_LEAST_MB: Final = 300


def probe(ssh: SystemSsh, entry: ServerEntry) -> dict[str, Any]:
    """What the server has; raises what ssh says, and `NotFound` without any Python."""
    try:
        return _run(ssh, entry, {"do": "probe"}, b"", _PROBE_SECONDS)
    except NotFound as error:
        raise NotFound(
            f"{entry.name} lacks Python 3.11 or newer with venv; nothing was changed",
            next_command="there: apt-get install python3 python3-venv",
        ) from error


def missing(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """What is lacking before Berthmaster can be put there, each with what mends it."""
    found = []
    if not facts["is_root"]:
        found.append(("root", "log in as root (root@HOST), or add --sudo"))
    if not facts["python"]:
        found.append((f"Python 3.11 or newer (it has {facts['own_python']})", "install it there"))
    elif not facts["has_venv"]:
        found.append(("Python's venv", "there: apt-get install python3-venv"))
    if not facts["has_docker"]:
        found.append(("Docker Engine 20.10 or newer", "there: apt-get install docker.io"))
    elif not facts["engine"]:
        found.append(("a Docker Engine that answers", "there: systemctl start docker"))
    elif _numbers(facts["engine"]) < _LEAST_ENGINE:
        found.append((f"Docker Engine 20.10 or newer (it has {facts['engine']})", "upgrade it"))
    if facts["has_docker"] and _numbers(facts["compose"]) < _LEAST_COMPOSE:
        has = f" (it has {facts['compose']})" if facts["compose"] else ""
        remedy = "there: apt-get install docker-compose-plugin, or docker-compose-v2"
        found.append((f"Docker Compose 2.24 or newer{has}", remedy))
    if facts["free_mb"] < _LEAST_MB:
        found.append((f"{_LEAST_MB} MB of disk ({facts['free_mb']} MB are free)", "make room"))
    return found


def install(
    ssh: SystemSsh, entry: ServerEntry, facts: dict[str, Any], told: Callable[[str], None]
) -> str:
    """Install this version beside the one that is there, and point `berth` at it."""
    found = wheels.collect(facts)
    size = sum(len(data) for _, data in found) / 1e6
    told(f"sending berthmaster and {len(found) - 1} packages it needs ({size:.0f} MB)")
    rows = [[name, len(data), hashlib.sha256(data).hexdigest()] for name, data in found]
    asked = {"do": "install", "build": wheels.build_name(found), "wheels": rows}
    body = b"".join(data for _, data in found)
    answer = _run(ssh, entry, asked, body, _INSTALL_SECONDS)
    return str(answer["installed"])


def _run(
    ssh: SystemSsh, entry: ServerEntry, asked: dict[str, Any], body: bytes, seconds: float
) -> dict[str, Any]:
    program = resources.files(__package__).joinpath("far_install.py").read_bytes()
    given = b"%d\n%b%b\n%b" % (len(program), program, json.dumps(asked).encode(), body)
    said = run_fixed(ssh, entry, _REMOTE, given, seconds)
    try:
        found: dict[str, Any] = json.loads(said.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise OutsideError(f"{entry.name} gave no answer", subject=entry.name) from error
    if "error" in found:
        raise OutsideError(
            f"{entry.name}: Berthmaster could not be installed: {found['error']};"
            " what was there still is",
            subject=entry.name,
        )
    return found


def _numbers(version: str | None) -> tuple[int, ...]:
    parts = (version or "0").removeprefix("v").split("+")[0].split("-")[0].split(".")
    return tuple(int(part) if part.isdigit() else 0 for part in parts[:2])
