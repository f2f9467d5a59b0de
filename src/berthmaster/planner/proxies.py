"""What somebody's own proxy is, and which names it answers, read from its image and configuration.

Pure text in, names out. A configuration that says more than these patterns know is not guessed at:
what was not found is not claimed.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final


class ProxyKind(StrEnum):
    """A kind that is known by name."""

    NGINX = "nginx"
    CADDY = "Caddy"
    TRAEFIK = "Traefik"
    HAPROXY = "HAProxy"
    APACHE = "Apache"
    OTHER = "proxy"


_WORDS: Final = (
    ("caddy", ProxyKind.CADDY),
    ("traefik", ProxyKind.TRAEFIK),
    ("haproxy", ProxyKind.HAPROXY),
    ("httpd", ProxyKind.APACHE),
    ("apache", ProxyKind.APACHE),
    ("nginx", ProxyKind.NGINX),
    ("openresty", ProxyKind.NGINX),
)
# How its configuration is read in its container; a path is read as a file.
CONFIG_COMMANDS: Final[Mapping[ProxyKind, tuple[tuple[str, ...], ...]]] = {
    ProxyKind.NGINX: (("nginx", "-T"),),
    ProxyKind.CADDY: (("cat", "/etc/caddy/Caddyfile"),),
    ProxyKind.HAPROXY: (
        ("cat", "/usr/local/etc/haproxy/haproxy.cfg"),
        ("cat", "/etc/haproxy/haproxy.cfg"),
    ),
    ProxyKind.APACHE: (("httpd", "-S"), ("apachectl", "-S")),
}
_NO_NAMES: Final = frozenset({"", "_", "localhost", "default", "127.0.0.1", "*"})
_NAME: Final = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def kind_of(image: str) -> ProxyKind:
    """By the image's name, or a program's; its registry and tag say nothing."""
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()
    return next((kind for word, kind in _WORDS if word in name), ProxyKind.OTHER)


def names_of(kind: ProxyKind, text: str, labels: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """The hosts that it answers, as far as text and the containers' labels say so."""
    match kind:
        case ProxyKind.NGINX:
            bare = re.sub(r"#[^\n]*", "", text)
            found = _words_after(bare, r"(?m)(?:^|[{;])\s*server_name\s+([^;{}]+);")
        case ProxyKind.CADDY:
            found = _caddy_names(text)
        case ProxyKind.HAPROXY:
            lines = r"(?:hdr(?:_dom)?\(host\)|ssl_fc_sni)[^\n]*"
            found = _haproxy_names(re.findall(lines, text))
        case ProxyKind.APACHE:
            found = _words_after(text, r"(?m)(?:namevhost|alias|ServerName|ServerAlias)\s+(\S+)")
        case ProxyKind.TRAEFIK:
            found = [name for item in labels for name in _traefik_names(item)]
        case ProxyKind.OTHER:
            found = []
    plain = {item.lower().rstrip(".").partition(":")[0] for item in found}
    return tuple(sorted(item for item in plain - _NO_NAMES if _NAME.fullmatch(item)))


def _words_after(text: str, pattern: str) -> list[str]:
    return [word for group in re.findall(pattern, text) for word in group.split()]


def _caddy_names(text: str) -> list[str]:
    """Addresses of the site blocks: what stands before a brace at the outermost level."""
    found, depth = [], 0
    for line in text.splitlines():
        words = line.split("#")[0].strip()
        if depth == 0 and words.endswith("{") and not words.startswith(("{", "(", "&")):
            found += re.split(r"[,\s]+", words.removesuffix("{"))
        depth += words.count("{") - words.count("}")
    return [re.sub(r"^https?://", "", item).partition("/")[0] for item in found]


def _haproxy_names(lines: Iterable[str]) -> list[str]:
    return [word for line in lines for word in line.split()[1:] if "." in word and "(" not in word]


def _traefik_names(labels: Mapping[str, str]) -> list[str]:
    rules = [value for key, value in labels.items() if key.startswith("traefik.") and "rule" in key]
    calls = [call for rule in rules for call in re.findall(r"Host(?:SNI)?\(([^)]*)\)", rule)]
    return [name for call in calls for name in re.findall(r"[`'\"]([^`'\"]+)[`'\"]", call)]
