"""The gateway's two processes as containers."""

from berthmaster.adapters.gateway.docker import DockerGateway
from berthmaster.adapters.gateway.process import GatewayOptions

__all__ = ["DockerGateway", "GatewayOptions"]
