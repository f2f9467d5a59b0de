"""`berth gateway tunnel`: cloudflared's configuration from the routes, and how the tunnel is.

Reads the credentials file's mode, owner and tunnel id, never its secret; changes nothing but the
configuration file, and that only on request.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from berthmaster.domain.errors import NotFound, OutsideError
from berthmaster.domain.probing import Probe
from berthmaster.domain.tunnel import (
    CredentialsFile,
    Tunnel,
    credentials_problems,
    render_tunnel,
)
from berthmaster.ports.outside import Outside
from berthmaster.services.route_table import derive_table

ROOT: Final = 0
LONGEST: Final = 64 * 1024  # bytes of a credentials file that are looked at
READY_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class TunnelReport:
    """The configuration that the routes ask for, and what is wrong; `problems` empty: well."""

    tunnel: Tunnel
    text: str
    problems: tuple[str, ...]


async def read_tunnel(outside: Outside) -> TunnelReport:
    """Look at all of it; raises `NotFound` when the settings name no tunnel."""
    tunnel = outside.tunnel
    if tunnel is None:
        raise NotFound(
            "the server's settings name no tunnel",
            next_command="write [tunnel] id = ... into /etc/berthmaster/settings.toml",
        )
    text = render_tunnel(tunnel, outside.entrypoints, derive_table(outside).hosts)
    owners = {ROOT, os.geteuid()}
    problems = list(credentials_problems(tunnel, _credentials(tunnel), owners))
    problems += _config_problems(tunnel, text)
    problems += await _health_problems(outside, tunnel)
    return TunnelReport(tunnel, text, tuple(problems))


def write_tunnel(report: TunnelReport) -> bool:
    """Write the configuration; whether it changed. Raises `OutsideError` when it cannot be."""
    path = Path(report.tunnel.config)
    if _read_or_none(path) == report.text:
        return False
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(report.text)
        part.replace(path)
    except OSError as error:
        raise OutsideError(
            f"{path} cannot be written: {error.strerror}", subject=str(path)
        ) from error
    return True


def _credentials(tunnel: Tunnel) -> CredentialsFile | None:
    path = Path(tunnel.credentials)
    try:
        stat = path.stat()
        with path.open("rb") as stream:
            data: Any = json.loads(stream.read(LONGEST))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, ValueError):
        data = None
        stat = path.stat()
    found = data.get("TunnelID") if isinstance(data, dict) else None
    return CredentialsFile(stat.st_mode & 0o7777, stat.st_uid, str(found) if found else None)


def _config_problems(tunnel: Tunnel, text: str) -> list[str]:
    there = _read_or_none(Path(tunnel.config))
    if there is None:
        return [f"{tunnel.config} is not there: berth gateway tunnel --write"]
    if there != text:
        return [f"{tunnel.config} is not what the routes ask for: berth gateway tunnel --write"]
    return []


def _read_or_none(path: Path) -> str | None:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return None


async def _health_problems(outside: Outside, tunnel: Tunnel) -> list[str]:
    """cloudflared answers `/ready` with 200 while a connection to its network is up."""
    answer = await outside.prober.probe(
        Probe(
            "127.0.0.1",
            tunnel.metrics_port,
            "/ready",
            "localhost",
            wants=200,
            timeout_seconds=READY_SECONDS,
        )
    )
    where = f"http://127.0.0.1:{tunnel.metrics_port}/ready"
    return [] if answer.is_good else [f"the tunnel is not ready: {where} {answer.describe()}"]
