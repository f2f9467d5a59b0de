"""Whether an effect has happened, asked of the outside: done, not done, or unknown.

A killed run leaves at most a few effects in doubt. `done` is recorded without doing it again;
anything else is done again, which is harmless because every effect is idempotent. Reads only.
"""

from enum import StrEnum

from berthmaster.domain import plan as act
from berthmaster.domain.container import Container
from berthmaster.domain.errors import OutsideError
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.ports.outside import Outside


class Observation(StrEnum):
    """What the outside says about an effect."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


async def observe(outside: Outside, action: act.Action) -> Observation:
    """Ask the outside about one action; what cannot be asked, or does not answer, is unknown."""
    try:
        return await _observe(outside, action)
    except OutsideError:
        return Observation.UNKNOWN


async def _observe(outside: Outside, action: act.Action) -> Observation:  # noqa: C901, PLR0912
    """One match over all actions, on purpose."""
    runtime = outside.runtime
    match action:
        case act.PullImage(runs_as):
            return _is(await runtime.image(runs_as) is not None)
        case act.CreateNetwork(network):
            return _is(network.name in {item.name for item in await runtime.networks()})
        case act.RemoveNetwork(name):
            return _is(name not in {item.name for item in await runtime.networks()})
        case act.JoinNetwork(network_name, joined):
            found_one = await runtime.container(joined)
            return _is(found_one is not None and network_name in found_one.addresses)
        case act.CreateVolume(name):
            return _is(name in {item.name for item in await runtime.volumes({})})
        case act.RemoveVolume(name):
            return _is(name not in {item.name for item in await runtime.volumes({})})
        case act.StartState() | act.StartServices() | act.StartContainers():
            found = await _containers(outside, action.containers)
            return _is(all(item is not None and item.is_running for item in found))
        case act.StopContainers(containers):
            found = await _containers(outside, containers)
            return _is(all(item is None or not item.is_running for item in found))
        case act.RemoveContainers(containers):
            return _is(all(item is None for item in await _containers(outside, containers)))
        case act.RunJob():
            job = await runtime.container(action.container)
            return _is(job is not None and job.state == "exited" and job.exit_code == 0)
        case act.RemoveJob(container=name):
            return _is(await runtime.container(name) is None)
        case act.MarkLive(stack, release):
            record = outside.store.stack(stack)
            return _is(record is not None and record.live == release)
        case act.MarkRetired(stack, release):
            states = {item.number: item.state for item in outside.store.releases(stack)}
            return _is(states.get(release) is ReleaseState.RETIRED)
        case act.RecordStates(stack, release, services):
            applied = outside.store.applied_states(stack)
            return _is(all(applied.get(service) == release for service in services))
        case act.StopProxy(container_id):
            proxy = await runtime.container(container_id)
            return _is(proxy is None or (not proxy.is_running and proxy.restart == "no"))
        case act.ForgetStack(stack):
            return _is(outside.store.stack(stack) is None)
        case _:
            # NOTE: the router's files and memory are two copies that must both be told; gates,
            # probes, watches, dumps and files are cheap to ask again and certain afterwards.
            return Observation.UNKNOWN


async def _containers(outside: Outside, names: tuple[str, ...]) -> list[Container | None]:
    return [await outside.runtime.container(name) for name in names]


def _is(is_done: bool) -> Observation:
    return Observation.DONE if is_done else Observation.NOT_DONE
