"""The prober port over the in-memory world: containers answer, and on loopback the router."""

from ipaddress import ip_address

from berthmaster.domain.hosting import answering, suffix_of
from berthmaster.domain.probing import Certificate, Fetch, Fetched, Probe, ProbeResult, judge
from berthmaster.domain.routing import HostClaim, RouteTable
from berthmaster.ports.router import Router
from berthmaster.testing.behaviour import Behaviour
from berthmaster.testing.world import FakeContainer, FakeEngine


class FakeProber:
    """`ports.prober.Prober` that needs no network; through loopback it asks what the table says."""

    def __init__(self, world: FakeEngine, router: Router | None = None) -> None:
        self.world = world
        self._router = router
        self.asked: list[Probe] = []
        self.certificates: dict[str, Certificate] = {}  # by host
        self.pages: dict[tuple[str, str], Fetched] = {}  # by address and path
        self.fetched: list[Fetch] = []

    async def probe(self, probe: Probe) -> ProbeResult:
        self.asked.append(probe)
        try:
            with self.world.calling("prober.probe", f"{probe.address}:{probe.port}{probe.path}"):
                if ip_address(probe.address).is_loopback and self._router is not None:
                    return _through_router(self.world, probe, await self._router.table())
                return _ask(self.world, probe, self.world.at_address(probe.address), probe.port)
        except Exception as exc:
            return ProbeResult(None, is_good=False, seconds=0.0, error=str(exc))

    async def fetch(self, wanted: Fetch) -> Fetched:
        self.fetched.append(wanted)
        given = self.pages.get((wanted.address, wanted.path))
        if given is not None and len(given.body) <= wanted.most_bytes:
            return given
        if given is not None:
            return Fetched(None, error=f"the answer is longer than {wanted.most_bytes} bytes")
        asked = Probe(wanted.address, wanted.port, wanted.path, wanted.host)
        found = await self.probe(asked)
        if found.status is None:
            return Fetched(None, error=found.error)
        container = self.world.at_address(wanted.address)
        script = container.behaviour if container else None
        return Fetched(found.status, script.body if script else "")

    async def certificate(
        self, address: str, port: int, host: str, *, timeout_seconds: float
    ) -> Certificate:
        return self.certificates.get(host, Certificate(error="no certificate for this name"))


def _through_router(world: FakeEngine, probe: Probe, table: RouteTable) -> ProbeResult:
    claim = _claim_of(table, probe.host)
    if claim is None:
        return _answer(probe, 421, "no such host")
    if claim.stack in table.maintenance and not probe.marks_release:  # a probe looks behind it
        return _answer(probe, 503, "maintenance")
    release = table.live.get(claim.stack)
    prefixes = [prefix for prefix in table.prefixes if prefix.release == release]
    prefix = answering(prefixes, probe.host, probe.path)
    if prefix is None:
        return _answer(probe, 404, "no such path", release)
    if prefix.site is not None:
        return _answer(probe, 200, "site", release)
    servers = [item.servers for item in table.backends if item.slot == prefix.backend]
    for server in servers[0] if servers else ():
        address, _, port = server.rpartition(":")
        if container := world.at_address(address):
            result = _ask(world, probe, container, int(port), release)
            if result.status is not None:
                return result
    return _answer(probe, 503, "no server answers", release)


def _claim_of(table: RouteTable, host: str) -> HostClaim | None:
    """Exact first, then by the suffix after the first dot, as the router does."""
    for wanted in (host, suffix_of(host)):
        for claim in table.hosts:
            if claim.host == wanted:
                return claim
    return None


def _ask(
    world: FakeEngine,
    probe: Probe,
    container: FakeContainer | None,
    port: int,
    release: str | None = None,
) -> ProbeResult:
    script = container.behaviour if container else None
    if script is None or script.port not in (None, port):
        error = f"{probe.address}:{probe.port} refused the connection: nothing listens there"
        return ProbeResult(None, is_good=False, seconds=0.0, error=error, refused=True)
    status = 503 if container and world.is_locked_out(container.name) else script.status
    return _answer(probe, status, script.body, release, script)


def _answer(
    probe: Probe, status: int, body: str, release: str | None = None, by: Behaviour | None = None
) -> ProbeResult:
    location = by.location if by else None
    error = judge(probe, status, location, body, by.headers if by else None)
    return ProbeResult(
        status=status,
        is_good=not error,
        seconds=0.0,
        error=error,
        location=location,
        release=release if probe.marks_release else None,
        excerpt=body if error else "",
        body=body if probe.keeps_body and probe.method != "HEAD" else "",
        media_type=_media_type(by),
    )


def _media_type(by: Behaviour | None) -> str:
    headers = {name.lower(): value for name, value in (by.headers if by else {}).items()}
    return headers.get("content-type", "text/plain").partition(";")[0]
