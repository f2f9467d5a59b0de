"""The gateway takes the place of somebody's own proxy, and gives it back.

New connections are led to the gateway by the kernel before the proxy stops, so that at no moment
nobody answers; open ones stay with the proxy until they end or it closes them. Each step's undo is
the way back, and the way back is the same steps the other way round.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from berthmaster.domain.plan import (
    Action,
    DrainProxy,
    Gap,
    Plan,
    ProbePorts,
    RedirectPorts,
    StartProxy,
    StopProxy,
    TakePorts,
)
from berthmaster.domain.probing import Probe
from berthmaster.domain.release import Release
from berthmaster.domain.spec import Role
from berthmaster.domain.takeover import Redirected, Takeover
from berthmaster.planner.observed import Observed
from berthmaster.planner.steps import StepList

STOP_SECONDS: Final = 30.0  # requests in flight may end
START_SECONDS: Final = 30.0
PROBE_SECONDS: Final = 15.0
LONGEST_DRAIN_SECONDS: Final = 30.0
# What was measured; see docs/explanation/gateway.md.
MEASURED: Final = "0 of 2,725 requests lost there and back, in tests/scenario/test_replace_proxy.py"
KEPT_OPEN: Final = (
    "connections that are kept open are closed while nothing is asked on them; a client asks on a"
    " new one, and only a request that crosses with the closing is lost"
)


def plan_hand_over(
    release: Release,
    observed: Observed,
    takeover: Takeover,
    redirects: tuple[Redirected, ...],
    notes: Sequence[str] = (),
    *,
    asks: tuple[Probe, ...] = (),
) -> Plan:
    """Plan to let the gateway answer where the proxy answers now."""
    steps, name = StepList(), takeover.proxy.name
    asked, answered = _ports(redirects), replace(takeover, listens=True)
    _add(
        steps,
        TakePorts(takeover),
        ("gateway", f"prepare for {asked}", "its links name the ports that visitors dial"),
        (TakePorts(None), "give them up"),
    )
    _lead(steps, redirects, f"the gateway answers, open ones stay with {name}")
    _probe(steps, release, takeover, "visitors get the same app")
    limit = _drain_seconds(release)
    _add(
        steps,
        DrainProxy(takeover.proxy.container, takeover.proxy.inside, limit),
        (name, f"drain, at most {limit:.0f} s", "what it was asked, it answers"),
    )
    _add(
        steps,
        StopProxy(takeover.proxy.container, STOP_SECONDS),
        (name, "stop", "its ports are the gateway's now"),
        (_start(takeover, asks), "start it as it was"),
    )
    _add(
        steps,
        TakePorts(answered),
        ("gateway", f"listen on {asked}", "it needs no redirect then"),
        (TakePorts(takeover), "stop listening there"),
    )
    _end_lead(steps, redirects, "the gateway listens there itself")
    _probe(steps, release, takeover, "and still do")
    return _plan(release, observed, "hand_over", takeover, steps, _gaps(asked), notes)


def plan_hand_back(
    release: Release,
    observed: Observed,
    takeover: Takeover,
    redirects: tuple[Redirected, ...],
    *,
    asks: tuple[Probe, ...] = (),
) -> Plan:
    """Plan to let the proxy answer again, as it was."""
    steps, name = StepList(), takeover.proxy.name
    asked = _ports(redirects)
    standing, led = replace(takeover, listens=True), replace(takeover, listens=False)
    _lead(steps, redirects, "the gateway gives the ports free and answers all the same")
    _add(
        steps,
        TakePorts(led),
        ("gateway", f"stop listening on {asked}", f"{name} needs them"),
        (TakePorts(standing), "listen there"),
    )
    _add(
        steps,
        _start(takeover, asks),
        (name, "start", "as it was, with its ports"),
        (StopProxy(takeover.proxy.container, STOP_SECONDS), "stop it"),
    )
    _end_lead(steps, redirects, f"{name} answers again")
    _add(
        steps,
        TakePorts(None),
        ("gateway", f"give {asked} up", "and have open connections made anew"),
        (TakePorts(led), "take them"),
    )
    return _plan(release, observed, "hand_back", takeover, steps, _gaps(asked), ())


def plan_give_up(release: Release, observed: Observed, takeover: Takeover) -> Plan:
    """Plan to free the ports of a proxy that is not there any more."""
    steps, asked = StepList(), _numbers(item.port for item in takeover.ports)
    standing = replace(takeover, listens=True)
    _add(
        steps,
        TakePorts(None),
        ("gateway", f"give {asked} up", f"{takeover.proxy.name} is gone, its owner starts another"),
        (TakePorts(standing), "take them"),
    )
    note = f"{takeover.proxy.name} is gone: nobody answers at {asked} until you start a proxy there"
    return _plan(release, observed, "hand_back", takeover, steps, (), (note,))


def _start(takeover: Takeover, asks: tuple[Probe, ...]) -> StartProxy:
    proxy = takeover.proxy
    return StartProxy(
        proxy.container, proxy.restart, proxy.inside, STOP_SECONDS, START_SECONDS, asks
    )


def _lead(steps: StepList, redirects: tuple[Redirected, ...], cause: str) -> None:
    where = ", ".join(sorted({f"{item.port} to {item.to}" for item in redirects}))
    _add(
        steps,
        RedirectPorts(redirects),
        ("new connections", f"lead {where}", cause),
        (RedirectPorts(()), "let them go where they went"),
    )


def _end_lead(steps: StepList, redirects: tuple[Redirected, ...], cause: str) -> None:
    _add(
        steps,
        RedirectPorts(()),
        ("new connections", "lead nowhere else", cause),
        (RedirectPorts(redirects), "lead them again"),
    )


def _probe(steps: StepList, release: Release, takeover: Takeover, cause: str) -> None:
    _add(
        steps,
        ProbePorts(release.stack, release.number, takeover.ports, PROBE_SECONDS),
        (str(release.stack), f"ask at {_numbers(item.port for item in takeover.ports)}", cause),
    )


def _add(
    steps: StepList,
    action: Action,
    text: tuple[str, str, str],
    undo: tuple[Action, str] | None = None,
) -> None:
    """One after the other: each needs all before it."""
    steps.add(action, text, undo)
    steps.barrier()


def _drain_seconds(release: Release) -> float:
    routed = release.with_role(Role.ROUTED)
    longest = max((item.drain_seconds for item in routed), default=0.0)
    return min(longest, LONGEST_DRAIN_SECONDS)


def _gaps(asked: str) -> tuple[Gap, ...]:
    return (Gap(f"nobody answers a new connection to {asked}", 0.0, MEASURED),)


def _ports(redirects: Sequence[Redirected]) -> str:
    return _numbers(item.port for item in redirects)


def _numbers(ports: Iterable[int]) -> str:
    found = sorted(set(ports))
    word = "port" if len(found) == 1 else "ports"
    return f"{word} {' and '.join(str(port) for port in found)}"


def _plan(
    release: Release,
    observed: Observed,
    verb: str,
    takeover: Takeover,
    steps: StepList,
    gaps: tuple[Gap, ...],
    notes: Sequence[str],
) -> Plan:
    return Plan(
        release.stack,
        verb,
        release.number,
        release.number,
        observed.generation(),
        steps.done(),
        gaps=gaps,
        notes=(*notes, KEPT_OPEN) if gaps else tuple(notes),
        details={"proxy": takeover.proxy.name},
    )
