"""Where the gateway's files lie and how large its pool is; nothing here reads or writes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from berthmaster.domain.errors import GatewayRefused

_LONGEST_FOLDER: Final = (
    75  # a unix socket's path has 107 bytes, and HAProxy binds under a longer name
)


@dataclass(frozen=True, slots=True)
class PoolSize:
    """The fixed pool: a change of it is a planned reload.

    1,000 backends of 4 servers take 51 MB and cost no throughput (design D3).
    """

    backends: int = 1000
    servers_per_backend: int = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """The gateway's folder; the same absolute path inside both containers."""

    folder: Path

    def __post_init__(self) -> None:
        if len(str(self.folder)) > _LONGEST_FOLDER:
            raise GatewayRefused(
                f"{self.folder}: longer than {_LONGEST_FOLDER} characters,"
                " the gateway's sockets could not be bound",
                subject="gateway",
            )

    @property
    def run(self) -> Path:
        """Sockets; mode 0700."""
        return self.folder / "run"

    @property
    def haproxy(self) -> Path:
        return self.folder / "haproxy"

    @property
    def caddy(self) -> Path:
        return self.folder / "caddy"

    @property
    def sites(self) -> Path:
        """Static files of releases: `<project>/r<N>/<site>/` and `<project>/_assets/`."""
        return self.folder.parent / "sites"

    @property
    def config(self) -> Path:
        return self.haproxy / "haproxy.cfg"

    @property
    def edge_config(self) -> Path:
        return self.caddy / "caddy.json"

    @property
    def edge_version(self) -> Path:
        """What the edge said of itself when its container was made."""
        return self.caddy / "version"

    @property
    def pool(self) -> Path:
        return self.haproxy / "pool.cfg"

    @property
    def ask(self) -> Path:
        """The ask responder's: its code, what apps it asks, what it counted."""
        return self.folder / "ask"

    @property
    def ask_apps(self) -> Path:
        return self.ask / "apps.json"

    @property
    def ask_socket(self) -> Path:
        return self.run / "ask.sock"

    @property
    def certificates(self) -> Path:
        """What the edge ordered: a folder for each issuer, in it one for each name."""
        return self.caddy / "data" / "certificates"

    @property
    def imported(self) -> Path:
        """Certificates that a person brought, each with its key in one PEM file."""
        return self.caddy / "imported"

    @property
    def record(self) -> Path:
        return self.haproxy / "table.json"

    @property
    def mark(self) -> Path:
        """A random text by which names that lead to this server are told."""
        return self.haproxy / "mark"

    @property
    def lock(self) -> Path:
        return self.haproxy / "table.lock"

    @property
    def admin_socket(self) -> Path:
        return self.run / "haproxy.sock"

    @property
    def sites_socket(self) -> Path:
        return self.run / "sites.sock"

    @property
    def edge_admin_socket(self) -> Path:
        return self.run / "caddy.sock"

    def edge_socket(self, entrypoint: str) -> Path:
        """Where the router takes what the edge got on an entrypoint."""
        return self.run / f"edge-{entrypoint}.sock"

    def map(self, name: str) -> Path:
        return self.haproxy / "maps" / f"{name}.map"

    def page(self, name: str) -> Path:
        return self.haproxy / "pages" / f"{name}.html"
