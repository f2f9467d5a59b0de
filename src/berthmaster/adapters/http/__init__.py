"""One HTTP request at a time behind `ports.prober`."""

from berthmaster.adapters.http.prober import AiohttpProber

__all__ = ["AiohttpProber"]
