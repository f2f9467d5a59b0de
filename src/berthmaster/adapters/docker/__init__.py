"""The Docker Engine behind `ports.runtime`; the only package that imports aiodocker."""

from berthmaster.adapters.docker.runtime import AiodockerRuntime

__all__ = ["AiodockerRuntime"]
