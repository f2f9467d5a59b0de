"""HAProxy's static configuration as text: entrypoints in, pool and sites out; nothing of an app.

What belongs to apps is in the maps and in the pool. Rendering decides nothing but the text; a new
entrypoint or a larger pool changes it and is a planned reload.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from berthmaster.adapters.haproxy.layout import Layout
from berthmaster.adapters.haproxy.table import OWN_HOSTS, SITE_BACKEND
from berthmaster.domain.errors import GatewayRefused
from berthmaster.domain.routing import Entrypoint, Tls
from berthmaster.domain.table import STRIP_DEPTH
from berthmaster.domain.tenancy import WELL_KNOWN

_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}\Z")
TENANT_HEADER: Final = "X-Tenant-Host"
QUEUE_SECONDS: Final = 10
HSTS_DEFAULT: Final = "max-age=31536000"


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """What an operator may set of the router."""

    connections: int = 20_000  # at once, over all entrypoints; a busy one takes about 35 KB
    tenant_header: str = TENANT_HEADER
    hsts: str | None = HSTS_DEFAULT  # on TLS entrypoints, when the app says nothing
    hsts_steps: tuple[tuple[int, int], ...] = ()  # until this instant of 1970 so many seconds
    has_ipv6: bool = True
    mark: str = ""  # shown under `WELL_KNOWN` for names that nobody has: they lead here


def render_config(
    layout: Layout, entrypoints: Sequence[Entrypoint], options: RouterOptions | None = None
) -> str:
    """The file `haproxy.cfg`; `pool.cfg` follows it on the command line."""
    options = options or RouterOptions()
    if not _HEADER.match(options.tenant_header):
        raise GatewayRefused(f"{options.tenant_header!r} is no header's name", subject="router")
    ports = {item.name: item.visited_port for item in entrypoints}
    blocks = [_global(layout, options), _defaults()]
    for entrypoint in entrypoints:
        if entrypoint.redirect_to:
            target = ports[entrypoint.redirect_to]
            blocks.append(_redirect(layout, entrypoint, target, options))
        elif entrypoint.tls is Tls.OFF:
            blocks.append(_plain(layout, entrypoint, options))
        else:
            blocks.append(_edge(layout, entrypoint, options))
    blocks += [_site(layout), _pool(layout)]
    return "\n\n".join(blocks) + "\n"


def _global(layout: Layout, options: RouterOptions) -> str:
    return f"""\
# Written by Berthmaster. Static: what belongs to apps is in the maps and in pool.cfg.
global
    expose-experimental-directives  # normalize-uri
    fd-hard-limit {2 * options.connections + 2_000}  # connections follow, or from a lower ulimit
    log stdout format raw local0 info
    stats socket {layout.admin_socket} mode 600 level admin
    stats timeout 10s
    hard-stop-after 1h  # of an old worker after a reload"""


def _defaults() -> str:
    """Timeouts: an app may think for an hour, a client may not be slow to ask."""
    return """\
defaults base
    mode http
    log global
    option dontlog-normal  # errors only; paths without query, which may hold tokens
    log-format "%ci %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %ts %HM %[var(txn.host)] %HPO"
    option http-restrict-req-hdr-names delete  # X_Forwarded_For reads like X-Forwarded-For in CGI
    timeout connect 5s
    timeout http-request 30s
    timeout http-keep-alive 75s
    timeout client 1h  # with `server`: the longest silence of a stream or of a slow answer
    timeout server 1h
    timeout tunnel 24h  # WebSockets"""


def _plain(layout: Layout, entrypoint: Entrypoint, options: RouterOptions) -> str:
    name, port = entrypoint.name, entrypoint.visited_port
    binds = []
    for bound in entrypoint.ports:
        binds += [f"    bind 0.0.0.0:{bound}"]
        binds += [f"    bind [::]:{bound} v6only"] if options.has_ipv6 else []
    lines = [f"frontend plain_{name} from base", *binds, "    acl is_loopback src 127.0.0.0/8 ::1"]
    lines += [
        "    http-request set-var(txn.probe) bool(true)"
        " if is_loopback { req.hdr(x-berth-probe) 1 } !{ req.hdr(x-forwarded-for) -m found }",
        "    http-request set-var(txn.from) src",
        "    http-request set-var(txn.real) src",
        "    http-request set-var(txn.proto) str(http)",
        f"    http-request set-var(txn.port) str({port})",
        "    http-request set-var(txn.asked) req.hdr(host)",
        "    http-request set-var(txn.proto) str(https)"
        " if { var(txn.probe) -m found } { req.hdr(x-forwarded-proto) https }",
    ]
    if entrypoint.trusted_proxies:
        lines += _trust(entrypoint.trusted_proxies)
    lines += [
        "    http-request set-var(txn.port) str(443) if { var(txn.proto) -m str https }"
        " !{ var(txn.own_port) -m found }"
    ]
    return "\n".join([*lines, *_forwarded(), *_route(layout, name, options)])


def _trust(networks: Sequence[str]) -> list[str]:
    def keep(variable: str, header: str) -> str:
        return (
            f"    http-request set-var(txn.{variable}) req.hdr({header})"
            f" if is_trusted {{ req.hdr({header}) -m found }}"
        )

    return [
        f"    acl is_trusted src {' '.join(networks)}",
        "    http-request set-var(txn.real) req.hdr(x-forwarded-for,-1)"
        " if is_trusted { req.hdr(x-forwarded-for) -m found }",
        '    http-request set-var-fmt(txn.from) "%[req.fhdr(x-forwarded-for)], %[src]"'
        " if is_trusted { req.hdr(x-forwarded-for) -m found }",
        keep("proto", "x-forwarded-proto"),
        keep("asked", "x-forwarded-host"),
        keep("own_port", "x-forwarded-port"),
        keep("port", "x-forwarded-port"),
    ]


def _edge(layout: Layout, entrypoint: Entrypoint, options: RouterOptions) -> str:
    """Only the edge can reach the socket, and it has judged who may say what in X-Forwarded-*."""
    lines = [
        f"frontend edge_{entrypoint.name} from base",
        f"    bind unix@{layout.edge_socket(entrypoint.name)} mode 600",
        "    timeout http-keep-alive 10m  # longer than the edge keeps them: it closes first",
        "    http-request set-var(txn.probe) bool(true) if { req.hdr(x-berth-probe) 1 }",
        "    http-request set-var(txn.from) req.fhdr(x-forwarded-for)",
        "    http-request set-var(txn.real) req.hdr(x-forwarded-for,-1)",
        "    http-request set-var(txn.real) req.hdr(x-forwarded-for,-2)"
        " if { req.hdr_cnt(x-forwarded-for) gt 1 }",
        "    http-request set-var(txn.proto) req.hdr(x-forwarded-proto)",
        "    http-request set-var(txn.asked) req.hdr(x-forwarded-host)",
        f"    http-request set-var(txn.port) str({entrypoint.visited_port})",
        *_forwarded(),
    ]
    return "\n".join([*lines, *_hsts(options), *_route(layout, entrypoint.name, options)])


def _hsts(options: RouterOptions) -> list[str]:
    """The step of now, by the router's clock: no step needs a reload. The app's own goes first."""
    has_one = "{ res.hdr(strict-transport-security) -m found }"
    name = "    http-response set-header Strict-Transport-Security"
    steps = [
        f'{name} "max-age={seconds}" if {{ date lt {until} }} !{has_one}'
        for until, seconds in options.hsts_steps
    ]
    return [*steps, f'{name} "{options.hsts}" unless {has_one}'] if options.hsts else steps


def _redirect(layout: Layout, entrypoint: Entrypoint, port: int, options: RouterOptions) -> str:
    """Behind the edge too: it owns the port for ACME's HTTP-01."""
    target = f":{port}" if port != 443 else ""
    return "\n".join(
        [
            f"frontend redirect_{entrypoint.name} from base",
            f"    bind unix@{layout.edge_socket(entrypoint.name)} mode 600",
            "    timeout http-keep-alive 10m",
            *_stack(layout, entrypoint.redirect_to or "", options.mark),
            f"    http-request redirect code 308 location https://%[var(txn.host)]{target}%[pathq]",
        ]
    )


def _forwarded() -> list[str]:
    """Nothing of what a client says about itself gets past here."""
    return [
        "    http-request del-header x-forwarded- -m beg",
        "    http-request del-header x-berth- -m beg",
        "    http-request del-header x-site -m beg",
        "    http-request del-header forwarded",
        "    http-request set-header X-Forwarded-For %[var(txn.from)]",
        "    http-request set-header X-Real-IP %[var(txn.real)]",
        "    http-request set-header X-Forwarded-Proto %[var(txn.proto)]",
        "    http-request set-header X-Forwarded-Host %[var(txn.asked)]",
        "    http-request set-header X-Forwarded-Port %[var(txn.port)]",
    ]


def _stack(layout: Layout, entrypoint: str, mark: str) -> list[str]:
    """Host -> stack: exactly, then by the suffix after the first dot."""
    hosts = layout.map("hosts")
    shown = [
        "    http-request return status 200 content-type text/plain hdr Cache-Control no-store"
        f' string "{mark}\\n" if {{ path {WELL_KNOWN} }} !{{ var(txn.stack) -m found }}'
    ]
    return [
        "    http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)",
        f"    http-request set-var(txn.key) str({entrypoint}|),concat(,txn.host)",
        f"    http-request set-var(txn.stack) var(txn.key),map_str({hosts})",
        f'    http-request set-var(txn.key) var(txn.host),regsub("^[^.]*","{entrypoint}|*")'
        " unless { var(txn.stack) -m found }",
        f"    http-request set-var(txn.stack) var(txn.key),map_str({hosts})"
        " unless { var(txn.stack) -m found }",
        *(shown if mark else []),
        "    http-request return status 421 content-type text/plain"
        ' string "No site of this server has this name.\\n"'
        " unless { var(txn.stack) -m found }",
    ]


def _tenant(layout: Layout, entrypoint: str, header: str) -> list[str]:
    """Where a header names the tenant: looked up on shared hosts, overwritten on a tenant's own."""
    is_told = "{ var(txn.naming) -m str h }"
    return [
        "    http-request set-var(txn.naming) var(txn.stack),field(2,:)"
        " if { var(txn.stack) -m sub : }",
        "    http-request set-var(txn.stack) var(txn.stack),field(1,:)"
        " if { var(txn.naming) -m found }",
        "    http-request set-var(txn.tenant) var(txn.host) if { var(txn.naming) -m found }",
        f"    http-request set-var(txn.tenant) req.hdr({header}),host_only,lower,rtrim(.)"
        f" if {is_told}",
        f"    http-request set-var(txn.key) str({entrypoint}|),concat(,txn.tenant) if {is_told}",
        f"    http-request set-var(txn.owner) var(txn.key),map_str({layout.map('hosts')})"
        f" if {is_told}",
        f"    http-request set-var(txn.wanted) var(txn.stack),concat(:o) if {is_told}",
        "    http-request return status 400 content-type text/plain"
        f' string "{header} must name a tenant of this service by its host.\\n"'
        f" if {is_told} !{{ var(txn.owner),strcmp(txn.wanted) eq 0 }}",
        f"    http-request set-header {header} %[var(txn.tenant)]"
        " if { var(txn.naming) -m found }",
    ]


def _route(layout: Layout, entrypoint: str, options: RouterOptions) -> list[str]:
    maintenance, live = layout.map("maintenance"), layout.map("live")
    return [
        "    http-request deny deny_status 405 if METH_CONNECT",
        "    http-request disable-l7-retry unless METH_GET or { method OPTIONS }",
        *_normalise(),
        *_stack(layout, entrypoint, options.mark),
        *_tenant(layout, entrypoint, options.tenant_header),
        '    http-request return status 503 content-type "text/html; charset=utf-8"'
        f" file {layout.page('maintenance')} hdr Retry-After 60 hdr Cache-Control no-store"
        f" if !{{ var(txn.probe) -m found }} {{ var(txn.stack),map_str({maintenance}) -m found }}",
        f"    http-request set-var(txn.release) var(txn.stack),map_str({live})",
        '    http-request return status 503 content-type "text/html; charset=utf-8"'
        f" file {layout.page('unavailable')} hdr Retry-After 30 hdr Cache-Control no-store"
        " unless { var(txn.release) -m found }",
        "    http-request set-var(txn.path) path",
        "    http-request set-var(txn.to) var(txn.release),concat(,txn.path,/),"
        f"map_beg({layout.map('prefixes')})",
        *_own_routes(layout),
        "    http-request return status 404 content-type text/plain"
        ' string "Nothing is published under this path.\\n"'
        " unless { var(txn.to) -m found }",
        "    http-request set-var(txn.strip) var(txn.to),field(3,:)",
        *_strip(),
        "    http-response del-header x-berth- -m beg",
        "    http-response set-header X-Berth-Release %[var(txn.release)]"
        " if { var(txn.probe) -m found }",
        "    use_backend %[var(txn.to),field(1,:)]",
    ]


def _own_routes(layout: Layout) -> list[str]:
    """Routes of single hosts: the suffix's over everybody's, the host's own over both.

    A value that is not found leaves what was found before. Looked for only when the release's mark
    says so, or when nothing answers every host.
    """
    found = f"concat(,txn.path,/),map_beg({layout.map('prefixes')})"
    return [
        '    http-request set-var(txn.below) var(txn.host),regsub("^[^.]*","*")'
        f" if {{ var(txn.to) -m end {OWN_HOSTS} }} or !{{ var(txn.to) -m found }}",
        f"    http-request set-var(txn.to) var(txn.release),concat(|,txn.below),{found}"
        " if { var(txn.below) -m found }",
        f"    http-request set-var(txn.to) var(txn.release),concat(|,txn.host),{found}"
        " if { var(txn.below) -m found }",
    ]


def _normalise() -> list[str]:
    """One spelling of each path before it is matched; what could mean two things is refused."""
    steps = (
        "percent-decode-unreserved strict",
        "percent-to-uppercase strict",
        "path-strip-dot",
        "path-strip-dotdot full",
        "path-merge-slashes",
        "fragment-strip",
    )
    return [
        *[f"    http-request normalize-uri {step}" for step in steps],
        "    http-request deny deny_status 400 if { path_sub -i %2f %5c %00 \\\\ /..; /.; }",
    ]


def _strip() -> list[str]:
    """Take the first N segments off and tell the app, which may build links with them."""
    lines = []
    for depth in range(1, STRIP_DEPTH + 1):
        condition = f"if {{ var(txn.strip) -m str {depth} }}"
        lines += [
            f"    http-request set-header X-Forwarded-Prefix /%[path,field(2,/,{depth})]"
            f" {condition}",
            f"    http-request set-path /%[path,field({depth + 2},/,0)] {condition}",
        ]
    return lines


def _site(layout: Layout) -> str:
    return f"""\
backend {SITE_BACKEND} from base
    http-request set-header X-Site %[var(txn.release)]/%[var(txn.to),field(2,:)]
    http-request set-header X-Site-Stack %[var(txn.stack)]
    http-reuse always
    server edge unix@{layout.sites_socket}"""


def _pool(layout: Layout) -> str:
    """What every backend of the pool has in common.

    A request is sent again only when its connection could not be made, or when an idle connection
    died under a method that changes nothing. What a server with a limit cannot take yet waits in
    the slot's queue, and no other slot's requests wait for it.
    """
    return f"""\
defaults pool from base
    balance leastconn
    http-reuse always  # else new clients mean new connections, and 300 of them use up the ports
    retries 3
    option redispatch
    retry-on conn-failure empty-response
    timeout queue {QUEUE_SECONDS}s  # of a request that waits for a server with a limit
    http-request set-priority-class int(-1) if {{ var(txn.probe) -m found }}  # before all who wait
    http-error status 503 content-type "text/html; charset=utf-8" file {layout.page("busy")}\
 hdr Retry-After 5 hdr Cache-Control no-store
    default-server pool-max-conn 2000 pool-purge-delay 5s"""
