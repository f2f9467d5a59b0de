"""How adopted containers take part: the networks of ours that they join, beside their own.

Routed ones join the release's network at a fixed address for the router, state services the
stack's network under their names, so that later releases find them.
"""

from berthmaster.domain.plan import JoinNetwork, LeaveNetwork
from berthmaster.domain.release import Release
from berthmaster.domain.spec import Role
from berthmaster.planner.steps import StepList


def joined(release: Release) -> tuple[tuple[str, JoinNetwork], ...]:
    """Each joining of an adopted release with the container's name; none for other releases."""
    if not release.adopted:
        return ()
    found = []
    at = {one.container: one.address for route in release.routes for one in route.upstreams}
    for service in release.with_role(Role.ROUTED):
        for name in service.containers:
            if name in at:
                action = JoinNetwork(release.network.name, release.adopted[name], (), at[name])
                found.append((name, action))
    for service in release.with_role(Role.STATE):
        for name in service.containers:
            aliases = _aliases(release, service.name)
            network = release.stack_network.name
            found.append((name, JoinNetwork(network, release.adopted[name], aliases)))
    return tuple(found)


def join_all(steps: StepList, release: Release, *roles: Role) -> None:
    """Add the joinings, of these roles or of all."""
    kept = {name for item in release.with_role(*roles) for name in item.containers}
    for name, action in joined(release):
        if roles and name not in kept:
            continue
        where = f" at {action.address}" if action.address else ""
        why = "the router dials it there" if action.address else "later releases call it there"
        steps.add(
            action,
            (name, f"join {action.network}{where}", why),
            (LeaveNetwork(action.network, action.container), "leave it"),
        )
    steps.barrier()


def leave_all(steps: StepList, release: Release, cause: str) -> None:
    """Add that its routed containers leave the release's network; state stays where it is."""
    for name, action in joined(release):
        if action.network == release.network.name:
            steps.add(
                LeaveNetwork(action.network, action.container),
                (name, f"leave {action.network}", cause),
            )
    steps.barrier()


def _aliases(release: Release, service: str) -> tuple[str, ...]:
    networks = release.state_model.get("services", {}).get(service, {}).get("networks", {})
    found = {str(one) for joined_as in networks.values() for one in joined_as.get("aliases", ())}
    return tuple(sorted(found | {service}))
