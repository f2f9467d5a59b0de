"""Part of `berth tick`: what a live release is made of runs again after Docker was restarted.

Docker starts containers by their restart policy, but not every one: a consumer that ended because
its queue was stopped first stays down (seen with 20.10). State services come first, as in a deploy.
Makes no container: one that is gone is a person's business.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from berthmaster.domain.container import LABEL_STACK
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release, ReleaseService
from berthmaster.domain.spec import Role
from berthmaster.engine.lease import hold
from berthmaster.ports.outside import Outside
from berthmaster.services.observe import applied_states
from berthmaster.services.tenant_spec import is_suspended
from berthmaster.services.trouble import Troubles

RESTARTED: Final = frozenset({"always", "unless-stopped"})
ORDER: Final = (Role.STATE, Role.ROUTED, Role.CONSUMER, Role.SINGLE)


async def start_stopped(outside: Outside, troubles: Troubles) -> tuple[str, ...]:
    """Start what ended and was to be restarted; returns a line for each container.

    Stacks that somebody changes, or whose deployment is unfinished, are left alone. A container
    that does not start keeps nothing from the others.
    """
    ended: dict[str, set[str]] = {}
    for item in await outside.runtime.containers({LABEL_STACK: ""}):
        if item.state == "exited":
            ended.setdefault(item.labels[LABEL_STACK], set()).add(item.name)
    told: list[str] = []
    for record in outside.store.stacks() if ended else ():
        down = ended.get(str(record.id), set())
        is_busy = _is_unfinished(outside, record.id) or is_suspended(outside, record.id)
        if down and record.live is not None and not is_busy:
            with troubles.noted():
                told += await _start(outside, record.id, record.live, down, troubles)
    return tuple(told)


async def _start(
    outside: Outside, stack: StackId, live: int, down: set[str], troubles: Troubles
) -> list[str]:
    release = outside.store.release(stack, live)
    wanted = [name for name in _kept_running(outside, release) if name in down] if release else []
    if not wanted:
        return []
    told = list[str]()
    async with hold(outside.store, str(stack), what="berth tick"):
        for name in wanted:
            with troubles.noted():
                await outside.runtime.start(name)
                told.append(f"{stack}: {name} had ended; it was started again")
    return told


def _kept_running(outside: Outside, live: Release) -> Iterator[str]:
    """Containers whose policy wants them to run, in the order in which they are started."""
    applied = applied_states(outside, live.stack, live)
    for role in ORDER:
        for service in live.with_role(role):
            source = applied.get(service.name, live) if role is Role.STATE else live
            model = source.state_model if role is Role.STATE else source.model
            yield from _restarted(service, model)


def _restarted(service: ReleaseService, model: Mapping[str, Any]) -> Iterator[str]:
    services = model.get("services") or {}
    for key, name in zip(service.compose_services, service.containers, strict=True):
        if (services.get(key) or {}).get("restart") in RESTARTED:
            yield name


def _is_unfinished(outside: Outside, stack: StackId) -> bool:
    return any(item.stack == stack for item in outside.store.unfinished())
