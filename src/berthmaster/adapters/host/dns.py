"""TXT records, which the system's resolver does not give: asked for with dnspython."""

from typing import Final

_SILENT: Final = None


async def texts(name: str, *, timeout_seconds: float) -> tuple[str, ...] | None:
    """Each record as one text; none for a name without any, None when no server answers."""
    import dns.asyncresolver
    import dns.exception
    import dns.resolver

    try:
        resolver = dns.asyncresolver.Resolver()
        answer = await resolver.resolve(name, "TXT", lifetime=timeout_seconds)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return ()
    except (dns.exception.DNSException, OSError):
        return _SILENT
    return tuple(b"".join(record.strings).decode(errors="replace") for record in answer)
