"""The change that makes somebody's own proxy pass requests to the gateway: the very line, and how
it takes effect.

The line is found in the proxy's configuration by whom it passes requests to now; where it is not
found, the line to write is said all the same. Text only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from berthmaster.planner.proxies import ProxyKind

FILE_MARK: Final = re.compile(r"# configuration file (\S+):$")  # as `nginx -T` prints it
_OWN_FILES: Final = {
    ProxyKind.NGINX: "/etc/nginx/nginx.conf",
    ProxyKind.CADDY: "/etc/caddy/Caddyfile",
    ProxyKind.HAPROXY: "/usr/local/etc/haproxy/haproxy.cfg",
    ProxyKind.APACHE: "/usr/local/apache2/conf/httpd.conf",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the gateway answers, as the proxy reaches it."""

    address: str
    port: int
    host: str  # a name of the app
    is_tls: bool = False
    is_own_authority: bool = False  # nobody else trusts its certificates

    @property
    def place(self) -> str:
        return f"{self.address}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.is_tls else 'http'}://{self.place}"


@dataclass(frozen=True, slots=True)
class Hint:
    """What to change where, and what to type then."""

    kind: ProxyKind
    where: str = ""  # `in FILE, line 7`; empty when the line was not found
    old: str = ""  # the line as it is; empty when it was not found
    new: tuple[str, ...] = ()
    then: str = ""  # command


def hint_for(
    kind: ProxyKind, config: str, target: Target, callees: frozenset[str], container: str
) -> Hint:
    """`callees` are the names and `address:port` by which the proxy may call the app now."""
    where, old = find_call(kind, config, callees)
    if kind is ProxyKind.TRAEFIK:
        where = "in a file of its file provider (--providers.file.directory)"
    return Hint(kind, where, old, tuple(_new(kind, config, old, target)), _then(kind, container))


def find_call(kind: ProxyKind, config: str, callees: frozenset[str]) -> tuple[str, str]:
    """Where the first line stands that passes requests to the app, and the line; empty ones."""
    pattern = {
        ProxyKind.NGINX: r"(?:proxy_pass\s+https?://|server\s+)([^\s/;]+)",
        ProxyKind.CADDY: r"(?:reverse_proxy|to)\s+(?:\S+\s+)*?(?:https?://)?([\w.-]+:\d+)",
        ProxyKind.HAPROXY: r"server\s+\S+\s+(\S+)",
        ProxyKind.APACHE: r"(?:ProxyPass|BalancerMember)\s+(?:\S+\s+)?\"?https?://([^\s/\"]+)",
    }.get(kind)
    if pattern is None:
        return "", ""
    for file, number, line in _lines(config, _OWN_FILES.get(kind, "")):
        found = re.match(rf"\s*{pattern}", line)
        if found and (found[1] in callees or found[1].partition(":")[0] in callees):
            return f"in {file}, line {number}", line.strip()
    return "", ""


def _lines(config: str, file: str) -> Iterator[tuple[str, int, str]]:
    """Every line with its file and its number there."""
    number = 0
    for line in config.splitlines():
        if mark := FILE_MARK.match(line):
            file, number = mark[1], 0
            continue
        number += 1
        yield file, number, line


def _new(kind: ProxyKind, config: str, old: str, target: Target) -> Iterator[str]:
    match kind:
        case ProxyKind.NGINX:
            yield from _nginx(config, old, target)
        case ProxyKind.CADDY:
            yield from _caddy(target)
        case ProxyKind.HAPROXY:
            yield _haproxy(old, target)
        case ProxyKind.APACHE:
            yield from _apache(old, target)
        case ProxyKind.TRAEFIK:
            yield from _traefik(config, target)
        case ProxyKind.OTHER:
            yield f"{target.url}, Host header kept"


def _nginx(config: str, old: str, target: Target) -> Iterator[str]:
    if old.startswith("server"):  # in an `upstream` block, which `proxy_pass` names
        yield f"server {target.place};"
        if target.is_tls:
            yield "and where proxy_pass names that upstream: https:// in place of http://,"
    else:
        path = re.search(r"https?://[^\s/;]+([^\s;]*)", old)
        yield f"proxy_pass {target.url}{path[1] if path else ''};"
    if not _passes_host(config, old):  # twice would be two Host headers, which nobody answers
        yield "proxy_set_header Host $host;"
    if target.is_tls:
        yield "proxy_ssl_server_name on;"
        yield f"proxy_ssl_name {target.host};"


def _passes_host(config: str, old: str) -> bool:
    """Whether the line's own block says it; one without any such line inherits from outside."""
    if not old or old not in config:
        return False
    before, _, after = config.partition(old)
    block = before.rpartition("{")[2] + after.partition("}")[0]
    inherits = "proxy_set_header" not in block and not old.startswith("server")
    where = config if inherits or old.startswith("server") else block
    return re.search(r"proxy_set_header\s+Host\s", where, re.IGNORECASE) is not None


def _caddy(target: Target) -> Iterator[str]:
    if not target.is_tls:
        yield f"reverse_proxy {target.place}"
        return
    yield f"reverse_proxy {target.url} {{"
    yield "    header_up Host {host}"
    yield "    transport http {"
    yield f"        tls_server_name {target.host}"
    if target.is_own_authority:
        yield "        tls_insecure_skip_verify"
    yield "    }"
    yield "}"


def _haproxy(old: str, target: Target) -> str:
    words = old.split()
    name, rest = (words[1], words[3:]) if len(words) > 2 else ("berth", [])
    if target.is_tls and "ssl" not in rest:
        rest += ["ssl", "verify", "none", "sni", f"str({target.host})"]
    return " ".join(["server", name, target.place, *rest])


def _apache(old: str, target: Target) -> Iterator[str]:
    path = re.match(r"ProxyPass\s+(/\S*)", old)
    yield f"ProxyPass {path[1] if path else '/'} {target.url}/"
    yield "ProxyPreserveHost On"
    if target.is_tls:
        yield "SSLProxyEngine On"
        yield "SSLProxyCheckPeerName Off"  # it would compare with the address
        if target.is_own_authority:
            yield "SSLProxyVerify none"


def _traefik(config: str, target: Target) -> Iterator[str]:
    """Labels lead to containers only; another address stands in a file of its file provider."""
    resolver = re.search(r"(?m)^traefik\.http\.routers\..*\.tls\.certresolver=(\S+)$", config)
    has_tls = re.search(r"(?m)^traefik\.http\.routers\..*\.tls=true$", config)
    tls = f", tls: {{certResolver: {resolver[1]}}}" if resolver else ", tls: {}" if has_tls else ""
    yield "http:"
    yield "  routers:"
    yield f"    berth: {{rule: 'Host(`{target.host}`)', service: berth, priority: 10000{tls}}}"
    yield "  services:"
    servers = f"servers: [{{url: '{target.url}'}}]"
    transport = ", serversTransport: berth" if target.is_tls else ""
    yield f"    berth: {{loadBalancer: {{{servers}{transport}}}}}"
    if target.is_tls:
        skip = ", insecureSkipVerify: true" if target.is_own_authority else ""
        yield "  serversTransports:"
        yield f"    berth: {{serverName: {target.host}{skip}}}"


def _then(kind: ProxyKind, container: str) -> str:
    if not container:
        return "" if kind is ProxyKind.OTHER else f"sudo systemctl reload {_program(kind)}"
    match kind:
        case ProxyKind.NGINX:
            return f"docker exec {container} nginx -s reload"
        case ProxyKind.CADDY:
            return f"docker exec -w /etc/caddy {container} caddy reload"
        case ProxyKind.HAPROXY:
            return f"docker kill --signal USR2 {container}"
        case ProxyKind.APACHE:
            return f"docker exec {container} httpd -k graceful"
        case ProxyKind.TRAEFIK | ProxyKind.OTHER:
            return ""


def _program(kind: ProxyKind) -> str:
    return "apache2" if kind is ProxyKind.APACHE else kind.value.lower()
