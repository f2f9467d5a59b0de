"""All ports in one value, handed to use cases and to the engine."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from berthmaster.ports.notifier import Nobody

if TYPE_CHECKING:
    from berthmaster.domain.routing import Entrypoint
    from berthmaster.domain.tunnel import Tunnel
    from berthmaster.ports.certificates import Certificates
    from berthmaster.ports.clock import Clock
    from berthmaster.ports.compose import Compose
    from berthmaster.ports.databases import Databases
    from berthmaster.ports.files import ReleaseFiles
    from berthmaster.ports.firewall import Firewall
    from berthmaster.ports.gateway import GatewayProcesses
    from berthmaster.ports.host import Host
    from berthmaster.ports.notifier import Notifier
    from berthmaster.ports.prober import Prober
    from berthmaster.ports.registry import Registry
    from berthmaster.ports.router import Router
    from berthmaster.ports.runtime import Runtime
    from berthmaster.ports.secretfiles import SecretFiles
    from berthmaster.ports.specs import Specs
    from berthmaster.ports.store import Store
    from berthmaster.ports.vault import Vault


@dataclass(frozen=True, slots=True)
class Outside:
    """What the product needs of the world."""

    runtime: "Runtime"
    compose: "Compose"
    router: "Router"
    gateway: "GatewayProcesses"
    certificates: "Certificates"
    prober: "Prober"
    registry: "Registry"
    store: "Store"
    vault: "Vault"
    secret_files: "SecretFiles"
    files: "ReleaseFiles"
    specs: "Specs"
    databases: "Databases"
    firewall: "Firewall"
    clock: "Clock"
    host: "Host"
    entrypoints: "tuple[Entrypoint, ...]"  # of this server
    address_block: str  # CIDR that networks are cut from
    actor: str  # who runs this: `user@host`
    origin: str  # from where: `cli`, `ssh 10.0.0.5`
    state_folder: Path = Path("/var/lib/berthmaster")  # its disk is watched
    disk_floor_percent: int = 10  # below it no deploy starts
    tenant_header: str = "X-Tenant-Host"  # that the router looks tenants up by
    notifier: "Notifier" = field(default_factory=Nobody)
    tunnel: "Tunnel | None" = None  # of cloudflared, in front of the gateway

    @property
    def listened_ports(self) -> tuple[int, ...]:
        """Every port of this server that the gateway listens on."""
        return tuple(port for item in self.entrypoints for port in item.ports)
