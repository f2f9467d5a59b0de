"""`berth adopt PROJECT --replace-proxy`: the gateway takes the place of somebody's own proxy.

Refused with a reason when visitors would miss something: a name, a certificate, a port. What is
done is a plan like every other; here is what it rests on, and what it cost is measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from berthmaster.domain.errors import NotAllowed, NotFound, OutsideError
from berthmaster.domain.hosting import asked_hosts, is_covered
from berthmaster.domain.names import StackId
from berthmaster.domain.plan import Plan
from berthmaster.domain.probing import Probe
from berthmaster.domain.release import ADOPTED, Release
from berthmaster.domain.routing import Entrypoint, Tls
from berthmaster.domain.takeover import Redirected, Replaced, TakenPort, Takeover
from berthmaster.engine.lease import hold
from berthmaster.planner.handing_over import plan_give_up
from berthmaster.planner.handing_over import plan_hand_back as plan_back
from berthmaster.planner.handing_over import plan_hand_over as plan_over
from berthmaster.planner.proxies import ProxyKind
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress
from berthmaster.ports.store import Event
from berthmaster.services.bring_up_gateway import SERVER_LEASE
from berthmaster.services.carry_out import Outcome, carry_out, refuse_unfinished
from berthmaster.services.measure_gap import Measured, measured
from berthmaster.services.observe import observe_stack
from berthmaster.services.read_proxy import FoundProxy, find_proxy

LOOPBACK: Final = "127.0.0.1"
HANDSHAKE_SECONDS: Final = 5.0
PLAIN, SECURE = 80, 443


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for."""

    stack: StackId
    project: str
    proxy: str | None = None  # container or service; None: who has 80 and 443
    without: tuple[str, ...] = ()  # names of the proxy that nobody needs any more


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What came of it, and what visitors noticed."""

    outcome: Outcome
    seen: Measured
    proxy: str


async def plan_hand_over(outside: Outside, wish: Wish) -> Plan:
    """What would be done; raises `NotAllowed` with every reason why it cannot work."""
    if outside.gateway.takeover() is not None:
        raise NotAllowed(
            "the gateway has taken the place of a proxy already",
            next_command=f"berth adopt {wish.project} {wish.stack} --undo",
        )
    release = _served(outside, wish.stack, wish.project)
    found = await find_proxy(outside, wish.project, wish.proxy)
    _refuse_shape(found)
    ports = await _ports(outside, release, found)
    notes = await _refuse_what_visitors_miss(outside, release, found, ports, wish)
    proxy = Replaced(
        found.container.id,
        found.container.name,
        found.container.restart or "no",
        tuple(sorted({item.inside for item in found.ports if item.protocol == "tcp"})),
    )
    takeover = Takeover(str(wish.stack), proxy, ports)
    observed = await observe_stack(outside, wish.stack, release=release)
    asks = tuple(_probes(outside, release, ports))
    led = _redirects(outside, takeover, found)
    return plan_over(release, observed, takeover, led, notes, asks=asks)


async def hand_over(outside: Outside, wish: Wish, progress: Progress) -> HandedOver:
    """Do it, under the leases of the stack and of the server, and measure what visitors notice."""
    async with (
        hold(outside.store, str(wish.stack), what="berth adopt --replace-proxy") as lease,
        hold(outside.store, SERVER_LEASE, what="berth adopt --replace-proxy"),
    ):
        refuse_unfinished(outside, wish.stack)
        plan = await plan_hand_over(outside, wish)
        release = _served(outside, wish.stack, wish.project)
        takeover = next(_takeovers(plan))
        async with measured(outside, list(_probes(outside, release, takeover.ports))) as seen:
            outcome = await carry_out(outside, lease, plan, progress)
        _note(outside, wish.stack, "ports_taken", takeover, seen)
        return HandedOver(outcome, seen, takeover.proxy.name)


def is_handed_over(outside: Outside, stack: StackId) -> bool:
    """Whether the gateway has the place of a proxy since this stack was adopted."""
    takeover = outside.gateway.takeover()
    return takeover is not None and takeover.stack == str(stack)


async def plan_hand_back(outside: Outside, stack: StackId, project: str) -> Plan:
    """What giving the ports back would do; raises `NotFound` when none were taken."""
    takeover = outside.gateway.takeover()
    if takeover is None or takeover.stack != str(stack):
        raise NotFound(f"no proxy was replaced for {stack}", next_command="berth gateway status")
    release = _served(outside, stack, project)
    found = await outside.runtime.container(takeover.proxy.container)
    observed = await observe_stack(outside, stack, release=release)
    if found is None:
        return plan_give_up(release, observed, takeover)
    ports = [(item.port, item.protocol) for item in found.published if item.is_for_everybody]
    redirects = tuple(_redirected(outside, takeover, ports))
    asks = tuple(_probes(outside, release, takeover.ports))
    return plan_back(release, observed, takeover, redirects, asks=asks)


async def hand_back(
    outside: Outside, stack: StackId, project: str, progress: Progress
) -> HandedOver:
    """Start the proxy again in its place, and measure what visitors notice."""
    async with (
        hold(outside.store, str(stack), what="berth adopt --undo") as lease,
        hold(outside.store, SERVER_LEASE, what="berth adopt --undo"),
    ):
        refuse_unfinished(outside, stack)
        plan = await plan_hand_back(outside, stack, project)
        release = _served(outside, stack, project)
        takeover = outside.gateway.takeover()
        assert takeover is not None  # noqa: S101 - the plan rests on it
        async with measured(outside, list(_probes(outside, release, takeover.ports))) as seen:
            outcome = await carry_out(outside, lease, plan, progress)
        _note(outside, stack, "ports_given_back", takeover, seen)
        return HandedOver(outcome, seen, takeover.proxy.name)


def _served(outside: Outside, stack: StackId, project: str) -> Release:
    """The live release of a stack that was adopted from this project."""
    record, adopted = outside.store.stack(stack), outside.store.release(stack, ADOPTED)
    if record is None or record.live is None or adopted is None or not adopted.adopted:
        raise NotAllowed(
            f"{stack} is not adopted: first what runs, then its proxy",
            next_command=f"berth adopt {project} {stack}",
        )
    if adopted.adopted_from != project:
        raise NotAllowed(f"{stack} was adopted from the project {adopted.adopted_from}")
    release = outside.store.release(stack, record.live)
    if release is None or not release.routes:
        raise NotAllowed(f"{stack} has no routes: no visitor would be answered")
    return release


def _refuse_shape(found: FoundProxy) -> None:
    name = found.container.name
    if found.container.shares_host_network:
        raise NotAllowed(
            f"{name} uses the host's own network, so Docker does not know its ports: publish them"
            " (`ports:`) first, or stop it by hand",
            next_command=f"docker stop {name} && berth gateway up",
        )
    if not found.ports:
        raise NotAllowed(f"{name} publishes no port that everybody may dial")
    narrow = [item for item in found.container.published if not item.is_for_everybody]
    wide = {item.port for item in found.ports}
    if extra := sorted({f"{one.address}:{one.port}" for one in narrow if one.port not in wide}):
        raise NotAllowed(
            f"{name} also listens on {', '.join(extra)} only, and the gateway on every address:"
            " publish these ports elsewhere first"
        )


async def _ports(outside: Outside, release: Release, found: FoundProxy) -> tuple[TakenPort, ...]:
    """Which entrypoint answers at which port: TLS where TLS was spoken, plain where it was not."""
    host = next(iter(asked_hosts(release)), "localhost")
    secure, plain = list[int](), list[int]()
    for port in sorted({item.port for item in found.ports if item.protocol == "tcp"}):
        shown = await outside.prober.certificate(
            LOOPBACK, port, host, timeout_seconds=HANDSHAKE_SECONDS
        )
        (plain if shown.error else secure).append(port)
    own = next(item for item in outside.entrypoints if item.name == release.entrypoint)
    name = found.container.name
    if own.tls is Tls.OFF:
        if secure:
            raise NotAllowed(
                f"{name} ends TLS at port {secure[0]}, and {release.stack} is on the plain"
                f" entrypoint {own.name}: give it one with TLS (`entrypoint` in berth.yaml), deploy"
            )
        return (TakenPort(own.name, _one(plain, PLAIN, name)),)
    if not secure:
        raise NotAllowed(
            f"{name} speaks no TLS, and {release.stack} is on the TLS entrypoint {own.name}: its"
            " visitors would be sent to a port that they never used",
            next_command="give the environment a plain `entrypoint` in berth.yaml, and deploy",
        )
    taken = [TakenPort(own.name, _one(secure, SECURE, name))]
    redirecting = [item for item in outside.entrypoints if item.redirect_to == own.name]
    if plain and not redirecting:
        raise NotAllowed(
            f"{name} answers plain HTTP at port {plain[0]}, and no entrypoint would",
            next_command=f'add [[entrypoints]] name = "http" port = 8080 redirect_to = "{own.name}"'
            " to the server's settings, then berth gateway up",
        )
    if plain:
        taken.append(TakenPort(redirecting[0].name, _one(plain, PLAIN, name)))
    return tuple(taken)


def _one(ports: Sequence[int], usual: int, name: str) -> int:
    """The usual port, or the only one."""
    if usual in ports or len(ports) == 1:
        return usual if usual in ports else ports[0]
    if not ports:
        raise NotAllowed(f"{name} publishes no port that the app's entrypoint could answer")
    shown = ", ".join(str(port) for port in ports)
    raise NotAllowed(f"{name} answers at {shown} alike; which of them visitors dial is not known")


async def _refuse_what_visitors_miss(
    outside: Outside,
    release: Release,
    found: FoundProxy,
    ports: Sequence[TakenPort],
    wish: Wish,
) -> tuple[str, ...]:
    """Everything at once, so that a person mends it in one go; what is fine is a note."""
    status, name = await outside.router.status(), found.container.name
    if not (status.is_router_up and status.is_edge_up):
        raise OutsideError(
            "the gateway does not run", subject="gateway", next_command="berth gateway up"
        )
    table = await outside.router.table()
    claimed = [item.host for item in table.hosts if item.entrypoint == release.entrypoint]
    problems = [
        f"{host}: {name} answers it, and no stack here does: adopt or deploy it, or, when nobody"
        f" needs it any more, --without {host}"
        for host in found.names
        if not is_covered(host, claimed) and host not in wish.without
    ]
    own = next(item for item in outside.entrypoints if item.name == release.entrypoint)
    notes = list[str]()
    if own.tls is not Tls.OFF:
        hosts = dict.fromkeys(
            [*asked_hosts(release), *(one for one in found.names if is_covered(one, claimed))]
        )
        at = next(item.port for item in ports if item.entrypoint == own.name)
        for host in hosts:
            is_good, line = await _certificate(outside, own, host, at)
            (notes if is_good else problems).append(line)
    shut = await outside.firewall.refused([item.port for item in ports])
    problems += [
        f"port {port}: the host's firewall lets nobody in. Docker's published ports pass it by, the"
        f" gateway does not: ufw allow {port}/tcp, or as your firewall says it"
        for port in shut
    ]
    if problems:
        lines = "\n".join(f"  {line}" for line in problems)
        raise NotAllowed(f"{name} cannot be replaced as it is:\n{lines}")
    return (*_said(found, ports), *notes)


def _said(found: FoundProxy, ports: Sequence[TakenPort]) -> Iterator[str]:
    name, taken = found.container.name, {item.port for item in ports}
    if found.kind is ProxyKind.OTHER or not found.names:
        yield f"which names {name} answers could not be read: nothing but this stack's was compared"
    else:
        yield f"{name} ({found.kind}) answers {', '.join(found.names)}"
    for item in found.ports:
        if item.port not in taken:
            yield f"port {item.port}/{item.protocol} of {name} answers nobody after this"
    yield f"{name} stays as it is, stopped; do not start it while the gateway has its ports"


async def _certificate(outside: Outside, own: Entrypoint, host: str, port: int) -> tuple[bool, str]:
    """Whether visitors get a certificate that they trust as much, and the line that says it."""
    now = outside.clock.now()
    held = [
        item
        for item in outside.certificates.held()
        if is_covered(host, item.names) and item.ends_at > now
    ]
    good = [item for item in held if item.is_imported or own.tls is Tls.ACME]
    if good:
        return (
            True,
            f"{host}: the certificate of {good[0].issuer}, until {good[0].ends_at:%Y-%m-%d}",
        )
    shown = await outside.prober.certificate(
        LOOPBACK, port, host, timeout_seconds=HANDSHAKE_SECONDS
    )
    by = f"one of {shown.issuer}" if shown.issuer else "one"
    would = "has none" if own.tls is Tls.ACME else "would show one of its own authority"
    return False, (
        f"{host}: your proxy shows {by}, the gateway {would}. Give it yours:"
        " berth cert import CERTIFICATE KEY (what the proxy reads them from: docker cp)"
    )


def _redirects(outside: Outside, takeover: Takeover, found: FoundProxy) -> tuple[Redirected, ...]:
    places = [(item.port, item.protocol) for item in found.ports]
    return tuple(_redirected(outside, takeover, places))


def _redirected(
    outside: Outside, takeover: Takeover, places: Sequence[tuple[int, str]]
) -> Iterator[Redirected]:
    """Every taken port, with the protocols that the proxy published it for."""
    own = {item.name: item.port for item in outside.entrypoints}
    for taken in takeover.ports:
        protocols = {protocol for port, protocol in places if port == taken.port} or {"tcp"}
        for protocol in sorted(protocols):
            yield Redirected(taken.port, own[taken.entrypoint], protocol)


def _probes(outside: Outside, release: Release, ports: Sequence[TakenPort]) -> Iterator[Probe]:
    host = next(iter(asked_hosts(release)), "localhost")
    secure = {item.name for item in outside.entrypoints if item.tls is not Tls.OFF}
    path = next((item.ready for item in release.routes if item.ready and not item.strip), "/")
    for item in ports:
        yield Probe(
            LOOPBACK,
            item.port,
            path or "/",
            host,
            is_tls=item.entrypoint in secure,
            is_lenient=True,
        )


def _takeovers(plan: Plan) -> Iterator[Takeover]:
    for step in plan.steps:
        takeover = getattr(step.action, "takeover", None)
        if isinstance(takeover, Takeover):
            yield takeover


def _note(outside: Outside, stack: StackId, what: str, takeover: Takeover, seen: Measured) -> None:
    ports = ", ".join(str(item.port) for item in takeover.ports)
    detail = f"ports {ports} and {takeover.proxy.name}: {seen.describe()}"
    outside.store.record(Event(outside.clock.now(), outside.actor, str(stack), what, detail))
