"""Which addresses may be checked. A user names the URL, so names are resolved and private addresses refused (SSRF)."""

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class TargetRefused(ValueError):
    """The URL may not be checked; the message says why."""


class NameUnknown(OSError):
    """The URL's host name does not resolve."""


def parse_url(url: str) -> SplitResult:
    """Return the parts of a URL that we could check; raise TargetRefused for any other."""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError as exc:
        raise TargetRefused("The URL cannot be read.") from exc
    if parts.scheme not in {"http", "https"}:
        raise TargetRefused("Only http and https can be checked.")
    if not parts.hostname or not port_is_valid:
        raise TargetRefused("The URL needs a host name.")
    if parts.username is not None or parts.password is not None:
        raise TargetRefused("The URL must not hold a user name or password.")
    return parts


def resolve(parts: SplitResult) -> str:
    """Return the address to connect to.

    The caller connects to this very address, so that a second answer of the name server cannot get round the check.
    Raises TargetRefused when any of the addresses is private, NameUnknown when there is none.
    """
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise NameUnknown(f"{host} does not resolve") from exc
    addresses = [str(entry[4][0]) for entry in found]
    if host not in settings.SSRF_ALLOWED_TARGETS:
        for address in addresses:
            _check_public(ipaddress.ip_address(address.partition("%")[0]))
    return addresses[0]


def _check_public(address: Address) -> None:
    inner = _embedded_or_none(address) or address
    if any(inner in network for network in _allowed_networks() if network.version == inner.version):
        return
    if not inner.is_global or inner.is_multicast:
        raise TargetRefused("The URL leads to a private address.")


def _embedded_or_none(address: Address) -> Address | None:
    """Return the IPv4 address that an IPv6 address carries."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def _allowed_networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    networks = []
    for target in settings.SSRF_ALLOWED_TARGETS:
        try:
            networks.append(ipaddress.ip_network(target, strict=False))
        except ValueError:
            continue  # a host name
    return networks
