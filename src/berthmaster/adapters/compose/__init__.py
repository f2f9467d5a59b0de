"""The `docker compose` binary behind `ports.compose`: argument vectors, scrubbed environment."""

from berthmaster.adapters.compose.cli import ComposeCli

__all__ = ["ComposeCli"]
