"""Caddy's static configuration as JSON: nothing in it depends on an app.

A change of it is a full reload for everybody (design D3), so domains, certificates and sites must
never need one: names are asked for at the router, sites are folders named by a header.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.caddy import sites
from berthmaster.adapters.caddy.errors import EdgeMisconfigured
from berthmaster.domain.routing import Entrypoint, Tls

_LOOPBACK: Final = ["127.0.0.0/8", "::1/128"]
_COMPRESSED: Final = [
    "text/html*", "text/css*", "text/plain*", "text/xml*", "text/javascript*",
    "application/javascript*", "application/json*", "application/manifest+json*",
    "application/problem+json*", "application/wasm*", "application/xml*", "image/svg+xml*",
]  # fmt: skip
# No text/event-stream: a stream is not to wait for a compressor.


@dataclass(frozen=True, slots=True)
class EdgeOptions:
    """What an operator may set of the edge, and where it finds the router."""

    ask_port: int = 9180  # the answer to "may this name have a certificate?"
    acme_directory: str | None = None  # URL; None: Caddy's default, Let's Encrypt
    acme_ca_root: Path | None = None  # PEM of a private ACME server
    acme_email: str | None = None
    asks_by_module: bool = False  # `permission` of Caddy 2.8 and newer instead of `ask`
    idle_connections: int = 2000  # to the router; Caddy's own 32 fail at 300 clients


@dataclass(frozen=True, slots=True)
class EdgePaths:
    """Folders and sockets, the same inside the container."""

    data: Path  # certificates and keys
    run: Path  # sockets
    sites: Path  # static files

    @property
    def imported(self) -> Path:
        """Certificates that a person brought: beside what Caddy orders itself."""
        return self.data.parent / "imported"

    def router_socket(self, entrypoint: str) -> Path:
        return self.run / f"edge-{entrypoint}.sock"


def render_config(
    paths: EdgePaths, entrypoints: Sequence[Entrypoint], options: EdgeOptions | None = None
) -> str:
    """The file `caddy.json`; raises `EdgeMisconfigured` for contradicting entrypoints."""
    options = options or EdgeOptions()
    secure = [item for item in entrypoints if item.tls is not Tls.OFF]
    redirecting = [item for item in entrypoints if item.redirect_to]
    _check(entrypoints, secure, redirecting)
    servers = {f"redirect_{item.name}": _redirect(paths, item, options) for item in redirecting}
    servers |= {f"tls_{item.name}": _tls_server(paths, item, options) for item in secure}
    servers["sites"] = sites.render_server(paths.run / "sites.sock", paths.sites, _encode())
    http: dict[str, Any] = {"grace_period": "30s", "servers": servers}
    if redirecting:
        http["http_port"] = redirecting[0].port
    if secure:
        http["https_port"] = secure[0].port
    apps: dict[str, Any] = {"http": http}
    if secure:
        apps["tls"] = _tls_app(paths, secure[0], options, has_http=bool(redirecting))
        apps["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
    config = {
        "admin": {"listen": f"unix/{paths.run / 'caddy.sock'}", "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "storage": {"module": "file_system", "root": str(paths.data)},
        "apps": apps,
    }
    return json.dumps(config, indent=2) + "\n"


def _check(
    entrypoints: Sequence[Entrypoint],
    secure: Sequence[Entrypoint],
    redirecting: Sequence[Entrypoint],
) -> None:
    if len({item.tls for item in secure}) > 1:
        raise EdgeMisconfigured("all TLS entrypoints of a server get their certificates in one way")
    names = {item.name for item in secure}
    for item in redirecting:
        if item.redirect_to not in names or item.tls is not Tls.OFF:
            raise EdgeMisconfigured(f"{item.name} must be plain and redirect to a TLS entrypoint")
    ports = [port for item in entrypoints for port in item.ports]
    if len(set(ports)) < len(ports):
        raise EdgeMisconfigured("two entrypoints have the same port")


def _tls_server(paths: EdgePaths, entrypoint: Entrypoint, options: EdgeOptions) -> dict[str, Any]:
    return {
        "listen": [f":{port}" for port in entrypoint.ports],
        "protocols": ["h1", "h2", "h3"],
        "read_header_timeout": "30s",
        "idle_timeout": "75s",
        "automatic_https": {"disable_redirects": True},
        "tls_connection_policies": [{}],
        "routes": [
            {"match": [_may_not_probe()], "handle": [_drop_probe_header()]},
            {"match": [_wants_no_events()], "handle": [_encode()]},
            {"handle": [_proxy(paths, entrypoint, options)]},
        ],
    }


def _redirect(paths: EdgePaths, entrypoint: Entrypoint, options: EdgeOptions) -> dict[str, Any]:
    """The router redirects known names and refuses others; ACME's HTTP-01 is answered before."""
    return {
        "listen": [f":{port}" for port in entrypoint.ports],
        "protocols": ["h1"],
        "read_header_timeout": "30s",
        "idle_timeout": "75s",
        "automatic_https": {"disable": True},
        "routes": [{"handle": [_proxy(paths, entrypoint, options)]}],
    }


def _may_not_probe() -> dict[str, Any]:
    """Everybody but Berthmaster on this machine; a tunnel on it says whom it forwards for."""
    asks_itself = {
        "remote_ip": {"ranges": _LOOPBACK},
        "not": [{"header": {"X-Forwarded-For": ["*"]}}],
    }
    return {"header": {"X-Berth-Probe": ["*"]}, "not": [asks_itself]}


def _wants_no_events() -> dict[str, Any]:
    """The compressor keeps an answer's head until its first byte: a stream opens before that."""
    return {"not": [{"header": {"Accept": ["*text/event-stream*"]}}]}


def _drop_probe_header() -> dict[str, Any]:
    return {"handler": "headers", "request": {"delete": ["X-Berth-Probe"]}}


def _proxy(paths: EdgePaths, entrypoint: Entrypoint, options: EdgeOptions) -> dict[str, Any]:
    """One upstream. A router that restarts is waited for; what was sent is not sent again."""
    proxy: dict[str, Any] = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"unix/{paths.router_socket(entrypoint.name)}"}],
        "load_balancing": {"try_duration": "5s", "try_interval": "50ms"},
        "transport": {
            "protocol": "http",
            "dial_timeout": "3s",
            "keep_alive": {
                "enabled": True,
                "max_idle_conns": options.idle_connections,
                "max_idle_conns_per_host": options.idle_connections,
                "idle_timeout": "5m",  # the router keeps them for 10
            },
            "compression": False,
        },
    }
    if entrypoint.trusted_proxies:
        proxy["trusted_proxies"] = list(entrypoint.trusted_proxies)
    return proxy


def _encode() -> dict[str, Any]:
    return {
        "handler": "encode",
        "encodings": {"gzip": {}},
        "minimum_length": 1024,
        "match": {"headers": {"Content-Type": _COMPRESSED}},
    }


def _tls_app(
    paths: EdgePaths, entrypoint: Entrypoint, options: EdgeOptions, *, has_http: bool
) -> dict[str, Any]:
    issuer = (
        {"module": "internal"} if entrypoint.tls is Tls.LOCAL else _acme(options, has_http=has_http)
    )
    return {
        "certificates": {"load_folders": [str(paths.imported)]},
        "automation": {
            "policies": [{"on_demand": True, "issuers": [issuer]}],
            "on_demand": _permission(f"http://127.0.0.1:{options.ask_port}/ask", options),
        },
    }


def _permission(url: str, options: EdgeOptions) -> dict[str, Any]:
    """Caddy before 2.8 knows `ask` only; later ones want a module and will drop `ask`."""
    if options.asks_by_module:
        return {"permission": {"module": "http", "endpoint": url}}
    return {"ask": url}


def _acme(options: EdgeOptions, *, has_http: bool) -> dict[str, Any]:
    issuer: dict[str, Any] = {"module": "acme"}
    if options.acme_directory:
        issuer["ca"] = options.acme_directory
    if options.acme_email:
        issuer["email"] = options.acme_email
    if options.acme_ca_root:
        issuer["trusted_roots_pem_files"] = [str(options.acme_ca_root)]
    if not has_http:
        issuer["challenges"] = {"http": {"disabled": True}}
    return issuer
