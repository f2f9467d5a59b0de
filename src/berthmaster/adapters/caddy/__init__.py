"""Caddy as the edge: TLS, HTTP/2 and 3, certificates on demand, files of sites; configured once."""

from berthmaster.adapters.caddy.config import EdgeOptions, render_config

__all__ = ["EdgeOptions", "render_config"]
