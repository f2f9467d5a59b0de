"""Who asks from inside the server: the edge, a probe, Prometheus. What they are told is nobody else's business."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def is_inside(request: HttpRequest) -> bool:
    """Say whether a request may see internals.

    What came through a proxy carries X-Forwarded-For and may not, unless its client is in INTERNAL_NETWORKS. The client
    is the last address, or the one before each further proxy of ours: what stands left of it is made up.
    """
    forwarded = request.headers.get("X-Forwarded-For", "")
    if not forwarded:
        return True
    addresses = [part.strip() for part in forwarded.split(",")]
    proxies = max(1, settings.TRUSTED_PROXY_COUNT)
    try:
        client = ipaddress.ip_address(addresses[-min(proxies, len(addresses))])
        return any(client in ipaddress.ip_network(network) for network in settings.INTERNAL_NETWORKS)
    except ValueError:
        return False
