"""Whether a name is its tenant's: a TXT record, or what the name's own address answers over HTTP.

Over HTTP either the token counts, which its owner serves wherever the name leads now, or the mark
of this server, which the router shows for names that nobody has: then DNS points here. Asked is
only what DNS says, on port 80, without redirects, and no address of a private network: DNS is the
customer's, and must not make this server ask its neighbours.
"""

from ipaddress import ip_address
from typing import Final

from berthmaster.domain.probing import Fetch
from berthmaster.domain.tenancy import RECORD, WELL_KNOWN, Domain
from berthmaster.ports.outside import Outside

DNS_SECONDS: Final = 5.0
HTTP_SECONDS: Final = 5.0
PORT: Final = 80
MOST_BYTES: Final = 1024
MOST_ADDRESSES: Final = 4


async def find_missing_proof(outside: Outside, domain: Domain) -> str:
    """What was found instead, in words; empty when the name is proven."""
    record = f"{RECORD}.{domain.host}"
    texts = await outside.host.texts(record, timeout_seconds=DNS_SECONDS)
    if domain.token in (texts or ()):
        return ""
    found = await outside.host.resolve(domain.host, timeout_seconds=DNS_SECONDS)
    said = [f"{record} has no TXT record with its token" if texts is not None else _silent(record)]
    if not found:
        said.append("DNS gives no address for it" if found is not None else _silent(domain.host))
    for address in (found or ())[:MOST_ADDRESSES]:
        missing = await _missing_at(outside, domain, address)
        if not missing:
            return ""
        said.append(missing)
    return "; ".join(said)


def _silent(name: str) -> str:
    return f"DNS does not answer for {name}"


async def _missing_at(outside: Outside, domain: Domain, address: str) -> str:
    if not _may_be_asked(outside, address):
        return f"{address} is no public address and was not asked"
    wanted = Fetch(
        address,
        PORT,
        WELL_KNOWN,
        domain.host,
        most_bytes=MOST_BYTES,
        timeout_seconds=HTTP_SECONDS,
    )
    found = await outside.prober.fetch(wanted)
    if found.status is None:
        return found.error
    if found.status == 200 and found.body.strip() in {domain.token, outside.router.mark()} - {""}:
        return ""
    return f"http://{address}{WELL_KNOWN} answers {found.status} without its token"


def _may_be_asked(outside: Outside, address: str) -> bool:
    """A public address, or one of this machine's that is not loopback."""
    found = ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_loopback or found.is_unspecified or found.is_multicast:
        return False
    return found.is_global or address in outside.host.addresses()
