"""Turn Docker Compose files into production on one server."""

__version__ = "0.1.0"
