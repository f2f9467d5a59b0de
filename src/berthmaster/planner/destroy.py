"""The end of a stack: traffic first, then containers, networks, volumes, files, records."""

import re

from berthmaster.domain.plan import (
    DetachRelease,
    ForgetStack,
    Plan,
    ReleaseHosts,
    RemoveContainers,
    RemoveFiles,
    RemoveNetwork,
    RemoveVolume,
    SetMaintenance,
    Switch,
)
from berthmaster.domain.release import STATE_FILES
from berthmaster.planner.observed import Observed
from berthmaster.planner.steps import StepList


def plan_destroy(observed: Observed, *, numbers: tuple[int, ...], removes_volumes: bool) -> Plan:
    """Plan to remove a stack; `numbers` are its recorded releases. Every step is forward only."""
    steps = StepList()
    kept = () if removes_volumes else tuple(sorted(observed.volumes))
    end_stack(steps, observed, numbers, frozenset(kept))
    live = observed.live.number if observed.live else None
    notes = (f"kept volumes: {', '.join(kept)}",) if kept else ()
    return Plan(
        observed.stack, "destroy", live, None, observed.generation(), steps.done(), notes=notes
    )


def end_stack(
    steps: StepList, observed: Observed, numbers: tuple[int, ...], kept_volumes: frozenset[str]
) -> None:
    """Add all that removes a stack; there is no way back from its first step on."""
    stack = observed.stack
    steps.point_of_no_return()
    if observed.claims:
        claims = tuple(sorted(observed.claims, key=lambda item: item.host))
        steps.add(
            ReleaseHosts(claims),
            ("router", "release " + ", ".join(item.host for item in claims), "nobody answers them"),
        )
        steps.barrier()
    if observed.live:
        steps.add(
            Switch(stack, observed.live.number, None),
            (str(stack), f"switch {observed.live.label} -> nothing", "the stack ends"),
        )
        steps.barrier()
    for key in sorted(observed.attached):
        number = int(key.rsplit("/r", 1)[1])
        steps.add(DetachRelease(stack, number), (f"release r{number}", "detach", "the stack ends"))
    steps.barrier()
    if observed.is_in_maintenance:
        steps.add(
            SetMaintenance(stack, False), (str(stack), "maintenance off", "the router forgets it")
        )
        steps.barrier()
    _remove_containers(steps, observed)
    for network in sorted(observed.networks):
        steps.add(RemoveNetwork(network), (f"network {network}", "remove", "the stack ends"))
    for volume in sorted(observed.volumes - kept_volumes):
        steps.add(RemoveVolume(volume), (f"volume {volume}", "remove", "its data was given up"))
    for number in numbers:
        steps.add(RemoveFiles(stack, number), (f"files r{number}", "remove", "the stack ends"))
    steps.add(RemoveFiles(stack, STATE_FILES), ("files of state", "remove", "the stack ends"))
    steps.barrier()
    steps.add(ForgetStack(stack), (str(stack), "forget", "the audit trail keeps a line"))


def _remove_containers(steps: StepList, observed: Observed) -> None:
    """First what works with data, then what keeps it: without its queue a consumer hangs."""
    of_release = re.compile(re.escape(observed.stack.project) + r"-r\d+-")
    app = sorted(name for name in observed.containers if of_release.match(name))
    state = sorted(observed.containers - set(app))
    for names in (app, state):
        if names:
            steps.add(
                RemoveContainers(tuple(names), 10.0),
                ("containers", "remove", ", ".join(names)),
            )
            steps.barrier()
