"""Image registries over their HTTP interface, behind `ports.registry`."""

from berthmaster.adapters.registry.client import HttpRegistry
from berthmaster.adapters.registry.credentials import DockerCredentials

__all__ = ["DockerCredentials", "HttpRegistry"]
