"""Taking over what already runs, and giving it back.

Adopted containers stay what they are: they join networks of ours beside their own, under the names
that later releases call and at addresses that the router keeps, and nothing else happens to them.
They are known by the ids that release 0 recorded; stopped, started, never removed.
"""

from collections.abc import Iterator

from berthmaster.domain.plan import (
    DetachRelease,
    Drain,
    ForgetStack,
    LeaveNetwork,
    Plan,
    ReleaseHosts,
    RemoveContainers,
    RemoveFiles,
    RemoveNetwork,
    ServiceLine,
    SetMaintenance,
    StartContainers,
    Switch,
)
from berthmaster.domain.release import ADOPTED, STATE_FILES, Release, ReleaseService
from berthmaster.domain.spec import Role
from berthmaster.planner import retiring
from berthmaster.planner.deploy import (
    attach_and_switch,
    create_networks,
    describe_routes,
    probe_gateway,
)
from berthmaster.planner.joining import join_all, joined
from berthmaster.planner.observed import Observed
from berthmaster.planner.starting import await_ready
from berthmaster.planner.steps import StepList


def plan_adopt(
    release: Release, observed: Observed, *, slots: tuple[int, ...], notes: tuple[str, ...] = ()
) -> Plan:
    """Plan to record what runs as release 0 and to route to it; nothing restarts."""
    steps = StepList()
    create_networks(steps, release, observed)
    steps.barrier()
    join_all(steps, release)
    routed = release.with_role(Role.ROUTED)
    if routed:
        await_ready(steps, release, routed, "it must answer at its new address too")
        steps.barrier()
    if release.routes:
        attach_and_switch(steps, release, observed, slots)
        probe_gateway(steps, release)
    retiring.retire_old(steps, release, observed)
    return Plan(
        stack=release.stack,
        verb="adopt",
        old=None,
        new=release.number,
        based_on=observed.generation(),
        steps=steps.done(),
        services=tuple(_line(item) for item in release.services),
        routes=tuple(describe_routes(release)),
        notes=notes,
        details={"project": release.adopted_from},
    )


def plan_give_back(
    release: Release, observed: Observed, *, numbers: tuple[int, ...], stopped: tuple[str, ...]
) -> Plan:
    """Plan to give an adopted project back as it was; `stopped` are ids that are to run again."""
    steps, stack, label = StepList(), release.stack, release.label
    steps.point_of_no_return()
    if stopped:
        names = {value: key for key, value in release.adopted.items()}
        shown = ", ".join(names[one] for one in stopped)
        steps.add(StartContainers(stopped), (shown, "start", "it ran when it was adopted"))
        steps.barrier()
    for warm in observed.warm:
        retiring.retire(steps, warm, "the project is given back")
    _take_traffic_away(steps, release, observed)
    for step in _leave(release):
        steps.add(*step)
    steps.barrier()
    ours = sorted(observed.containers - release.adopted.keys())
    if ours:
        steps.add(
            RemoveContainers(tuple(ours), 30.0),
            ("containers", "remove", ", ".join(ours)),
        )
        steps.barrier()
    for network in sorted({release.network.name, release.stack_network.name}):
        steps.add(RemoveNetwork(network), (f"network {network}", "remove", "nobody is in it"))
    for number in (*(one for one in numbers if one != ADOPTED), STATE_FILES):
        steps.add(RemoveFiles(stack, number), (f"files r{number}", "remove", "nobody reads them"))
    steps.barrier()
    steps.add(ForgetStack(stack), (str(stack), "forget", "the audit trail keeps a line"))
    kept = ", ".join(sorted(observed.volumes))
    return Plan(
        stack,
        "unadopt",
        release.number,
        None,
        observed.generation(),
        steps.done(),
        notes=(f"kept volumes of later releases: {kept}",) if kept else (),
        details={"project": release.adopted_from, "release": label},
    )


def _take_traffic_away(steps: StepList, release: Release, observed: Observed) -> None:
    stack, label = release.stack, release.label
    if observed.claims:
        claims = tuple(sorted(observed.claims, key=lambda item: item.host))
        hosts = ", ".join(item.host for item in claims)
        steps.add(ReleaseHosts(claims), ("router", f"release {hosts}", "the project's own again"))
        steps.barrier()
    if release.routes:
        limit = max((item.drain_seconds for item in release.with_role(Role.ROUTED)), default=0.0)
        steps.add(
            Drain(stack, release.number, limit),
            (f"release {label}", f"drain, at most {limit:.0f} s", "what is asked is answered"),
        )
        steps.barrier()
        steps.add(
            Switch(stack, release.number, None),
            (str(stack), f"switch {label} -> nothing", "the router lets go"),
        )
        steps.barrier()
        steps.add(
            DetachRelease(stack, release.number),
            (f"router {label}", "detach", "the router forgets it"),
        )
        steps.barrier()
    if observed.is_in_maintenance:
        steps.add(
            SetMaintenance(stack, False), (str(stack), "maintenance off", "the router forgets it")
        )
        steps.barrier()


def _leave(release: Release) -> Iterator[tuple[LeaveNetwork, tuple[str, str, str]]]:
    for name, action in joined(release):
        leave = LeaveNetwork(action.network, action.container)
        yield leave, (name, f"leave {action.network}", "as it was before")


def _line(service: ReleaseService) -> ServiceLine:
    change = "left alone" if service.containers else "does not run"
    return ServiceLine(service.name, service.role.value, service.reason, change)
