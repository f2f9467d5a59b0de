"""What router and edge are as containers: image, arguments, mounts, limits; values only."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.ask.budget import Limits
from berthmaster.adapters.caddy.config import EdgeOptions, EdgePaths
from berthmaster.adapters.haproxy.config import RouterOptions
from berthmaster.adapters.haproxy.layout import Layout, PoolSize
from berthmaster.domain.container import LABEL
from berthmaster.domain.routing import Entrypoint, Tls

LABEL_GATEWAY: Final = f"{LABEL}.gateway"  # router, edge or ask
LABEL_CONFIG: Final = f"{LABEL}.gateway.config"  # hash of image and container settings
UNLIMITED: Final = Limits(10**9, 10**9, 10**9, 10**9)  # the edge's own authority
STOP_SECONDS: Final = 30  # running requests may end
_SHAPE: Final = 2  # of `Process.container`: another one makes the containers anew


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """Everything that an operator may set of the gateway."""

    router_image: str | None = None  # None: what `images` finds
    edge_image: str | None = None
    ask_image: str | None = None
    name_prefix: str = "berthmaster-"
    labels: Mapping[str, str] = field(default_factory=dict)
    pool: PoolSize = field(default_factory=PoolSize)
    router: RouterOptions = field(default_factory=RouterOptions)
    edge: EdgeOptions = field(default_factory=EdgeOptions)
    limits: Limits = field(default_factory=Limits)  # of the certificate authority


@dataclass(frozen=True, slots=True)
class Process:
    """One of the three: what runs, and how its configuration is checked without running it."""

    kind: str  # router, edge, ask
    name: str
    image: str  # as wanted; empty until it was chosen
    command: tuple[str, ...]
    check: tuple[str, ...]
    folders: tuple[tuple[Path, bool], ...]  # host path, the same inside; whether it may write
    stop_signal: str
    version: tuple[str, ...] = ()  # says the version, for a process that cannot be asked
    environment: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    shares_ports: bool = False  # a second one may listen beside it (SO_REUSEPORT)

    @property
    def old_name(self) -> str:
        """Of the container that hands over, while it ends."""
        return f"{self.name}-old"

    @property
    def settings_hash(self) -> str:
        """Changes when the container must be made anew."""
        data = [
            _SHAPE,
            self.image,
            self.command,
            [(str(path), write) for path, write in self.folders],
        ]
        return hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]

    def container(self, command: tuple[str, ...], *, is_service: bool) -> dict[str, Any]:
        """The engine's description: host network, read-only, one capability, restarted for ever.

        Public images bring a user, an entrypoint and a folder of their own: all three are said.
        """
        return {
            "Image": self.image,
            "User": "0:0",  # of the sockets and files, which nobody else may read
            "WorkingDir": "/",
            "Entrypoint": list(command[:1]),
            "Cmd": list(command[1:]),
            "Env": list(self.environment),
            "Labels": {
                **self.labels,
                **({LABEL_GATEWAY: self.kind} if is_service else {}),
                LABEL_CONFIG: self.settings_hash,
            },
            "StopSignal": self.stop_signal,
            "StopTimeout": STOP_SECONDS,
            "HostConfig": {
                "NetworkMode": "host",
                "RestartPolicy": {"Name": "always" if is_service else "no"},
                "Binds": [
                    f"{path}:{path}:{'rw' if write else 'ro'}" for path, write in self.folders
                ],
                "ReadonlyRootfs": True,
                "Tmpfs": {"/tmp": "mode=1777"},  # noqa: S108 - inside the container
                "CapDrop": ["ALL"],
                "CapAdd": ["NET_BIND_SERVICE"],
                "SecurityOpt": ["no-new-privileges"],
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
            },
        }


def router_process(layout: Layout, options: GatewayOptions) -> Process:
    """HAProxy: a master that reloads on SIGUSR2 and ends gracefully on SIGUSR1."""
    files = ("-f", str(layout.config), "-f", str(layout.pool))
    return Process(
        kind="router",
        name=f"{options.name_prefix}router",
        image=options.router_image or "",
        command=("haproxy", "-W", "-db", *files),
        check=("haproxy", "-c", "-q", *files),
        folders=((layout.folder, True),),
        stop_signal="SIGUSR1",
        labels=options.labels,
        shares_ports=True,
    )


def edge_process(layout: Layout, options: GatewayOptions) -> Process:
    """Caddy, which keeps nothing but certificates."""
    config = str(layout.edge_config)
    root = options.edge.acme_ca_root
    return Process(
        kind="edge",
        name=f"{options.name_prefix}edge",
        image=options.edge_image or "",
        command=("caddy", "run", "--config", config),
        check=("caddy", "validate", "--config", config),
        folders=(
            (layout.folder, True),
            (layout.sites, False),
            *(((root, False),) if root else ()),
        ),
        stop_signal="SIGTERM",
        version=("caddy", "version"),
        environment=("XDG_DATA_HOME=/tmp/data", "XDG_CONFIG_HOME=/tmp/config", "HOME=/tmp"),
        labels=options.labels,
    )


def ask_process(
    layout: Layout, options: GatewayOptions, package: Path, entrypoints: Sequence[Entrypoint]
) -> Process:
    """The ask responder: our own code on a Python image; another code or limit makes it anew."""
    secure = [item for item in entrypoints if item.tls is not Tls.OFF]
    has_limits = any(item.tls is Tls.ACME for item in secure)
    limits = options.limits if has_limits else UNLIMITED
    return Process(
        kind="ask",
        name=f"{options.name_prefix}ask",
        image=options.ask_image or "",
        command=(
            *("python3", "-I", "-S", str(package), str(layout.folder)),
            *(str(options.edge.ask_port), ",".join(item.name for item in secure)),
            *(str(limits.domain_week), str(limits.account_three_hours)),
            *(str(limits.name_week), str(limits.name_hour)),
        ),
        check=(),
        folders=((layout.folder, True),),
        stop_signal="SIGKILL",  # it keeps nothing that is not written at once
        labels=options.labels,
    )


def edge_paths(layout: Layout) -> EdgePaths:
    """Where the edge keeps and finds things."""
    return EdgePaths(data=layout.caddy / "data", run=layout.run, sites=layout.sites)
