"""A cloudflared tunnel in front of the gateway: its configuration from the routes, and what is
wrong with its credentials; pure.

The tunnel's names lead to the entrypoints that the stacks claimed them on, so that a host of prod
never ends at stage.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from berthmaster.domain.routing import Entrypoint, HostClaim, Tls

ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
MODE: Final = 0o600  # at most: who reads the file is the tunnel


@dataclass(frozen=True, slots=True)
class Tunnel:
    """What the server's settings say of it."""

    id: str  # UUID
    credentials: str  # path of the JSON file
    config: str  # path of cloudflared's configuration
    metrics_port: int  # on loopback; `/ready` answers there


@dataclass(frozen=True, slots=True)
class CredentialsFile:
    """What lies at the credentials' path; `text` is secret but for its tunnel's id."""

    mode: int
    uid: int
    tunnel_id: str | None  # None: it is not the JSON that cloudflared writes


def render_tunnel(
    tunnel: Tunnel, entrypoints: Sequence[Entrypoint], claims: Iterable[HostClaim]
) -> str:
    """cloudflared's configuration: each host to the entrypoint it was claimed on, the rest to 404.

    Exact hosts come before suffixes: the first that fits answers.
    """
    known = {item.name: item for item in entrypoints}
    lines = [
        "# Made by `berth gateway tunnel` from the routes of this server.",
        f"tunnel: {tunnel.id}",
        f"credentials-file: {json.dumps(tunnel.credentials)}",
        f"metrics: 127.0.0.1:{tunnel.metrics_port}",
        "ingress:",
    ]
    ordered = sorted(set(claims), key=lambda item: (item.host.startswith("*."), item.host))
    for claim in ordered:
        if claim.entrypoint in known:
            lines += _rule(claim.host, known[claim.entrypoint])
    return "\n".join([*lines, "  - service: http_status:404"]) + "\n"


def _rule(host: str, entrypoint: Entrypoint) -> list[str]:
    scheme = "http" if entrypoint.tls is Tls.OFF else "https"
    lines = [
        f"  - hostname: {json.dumps(host)}",
        f"    service: {scheme}://127.0.0.1:{entrypoint.port}",
    ]
    if entrypoint.tls is Tls.OFF:
        return lines
    name = host.removeprefix("*.")
    trust = ["      noTLSVerify: true"] if entrypoint.tls is Tls.LOCAL else []
    return [*lines, "    originRequest:", f"      originServerName: {json.dumps(name)}", *trust]


def credentials_problems(
    tunnel: Tunnel, found: CredentialsFile | None, owners: Iterable[int]
) -> tuple[str, ...]:
    """What is wrong with the credentials file: name, place, contents, owner, mode."""
    name = tunnel.credentials.rpartition("/")[2]
    problems = []
    if name != f"{tunnel.id}.json":
        problems.append(f"{tunnel.credentials} is not named {tunnel.id}.json, after the tunnel")
    if found is None:
        return (*problems, f"{tunnel.credentials} is not there")
    if found.tunnel_id != tunnel.id:
        whose = found.tunnel_id or "no tunnel"
        problems.append(f"{tunnel.credentials} is of {whose}, not of {tunnel.id}")
    if found.mode & ~MODE:
        problems.append(f"{tunnel.credentials} has mode {found.mode:04o}: chmod 600")
    if found.uid not in set(owners):
        problems.append(f"{tunnel.credentials} belongs to uid {found.uid}")
    return tuple(problems)
