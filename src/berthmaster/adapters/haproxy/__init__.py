"""HAProxy as the router: static configuration, a table changed at run time and kept in files."""

from berthmaster.adapters.haproxy.layout import Layout, PoolSize
from berthmaster.adapters.haproxy.router import HaproxyRouter

__all__ = ["HaproxyRouter", "Layout", "PoolSize"]
