"""The one door for effects: one match over all actions, each a call on a port.

Decides nothing: names, addresses and limits come with the action, everything else from the
release's immutable record. Every call is idempotent, so a step whose end was not recorded is
simply done again.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, assert_never

from berthmaster.domain import plan as act
from berthmaster.domain.container import (
    LABEL_DEPLOYMENT,
    LABEL_RELEASE,
    LABEL_STACK,
)
from berthmaster.domain.errors import Bug
from berthmaster.domain.hosting import attached
from berthmaster.domain.names import StackId
from berthmaster.domain.release import STATE_FILES, Release
from berthmaster.domain.releasestate import ReleaseState
from berthmaster.domain.sealed import SealedValues
from berthmaster.engine import handover, jobs, through_gateway
from berthmaster.engine.gate import Gate
from berthmaster.engine.lease import HeldLease
from berthmaster.planner.logins import logins_of
from berthmaster.planner.render import with_environment
from berthmaster.ports.outside import Outside
from berthmaster.ports.progress import Progress

DRAIN_POLL_SECONDS = 0.1
PARALLEL_STOPS = 8


@dataclass(frozen=True, slots=True)
class Work:
    """What an effect belongs to."""

    deployment_id: int
    step: int


class Effects:
    """Performs actions through the ports, under a lease."""

    def __init__(self, outside: Outside, lease: HeldLease, progress: Progress) -> None:
        self._outside = outside
        self._lease = lease
        self._progress = progress
        self._releases: dict[tuple[StackId, int], Release] = {}

    async def perform(self, action: act.Action, work: Work) -> str:  # noqa: C901, PLR0912, PLR0915
        """Do it; returns what was found, for the journal. One match over all actions."""
        runtime, store, router = self._outside.runtime, self._outside.store, self._outside.router
        fence = self._lease.fence
        match action:
            case act.PullImage(runs_as):
                await runtime.pull(runs_as, self._progress.pulled)
            case act.CreateNetwork(network, stack, release):
                labels = self._labels(stack, release, work)
                await runtime.create_network(network, labels)
            case act.RemoveNetwork(name):
                await runtime.remove_network(name)
            case act.JoinNetwork(network_name, container, aliases, address):
                await runtime.join_network(
                    network_name, container, aliases=aliases, address=address
                )
            case act.LeaveNetwork(network_name, container):
                await runtime.leave_network(network_name, container)
            case act.CreateVolume(name, stack):
                await runtime.create_volume(name, self._labels(stack, None, work))
            case act.RemoveVolume(name):
                await runtime.remove_volume(name)
            case act.PlaceFiles(stack, number, is_state):
                self._place(self._release(stack, number), is_state=is_state)
            case act.RemoveFiles(stack, number):
                self._outside.files.remove(stack.project, number)
            case act.StartState(stack, number, services):
                release_record = self._release(stack, number)
                await self._up(stack.project, release_record, services, work)
            case act.RecordStates(stack, number, services):
                store.record_states(stack, number, services, fence=fence)
            case act.StartServices(stack, number, services):
                release_record = self._release(stack, number)
                await self._up(release_record.project, release_record, services, work)
            case act.StartContainers(containers, stop_seconds):
                if stop_seconds:
                    await self._each(containers, lambda name: runtime.stop(name, stop_seconds))
                for name in containers:
                    await runtime.start(name)
            case act.StopContainers(containers, timeout_seconds):
                await self._each(containers, lambda name: runtime.stop(name, timeout_seconds))
            case act.RemoveContainers(containers, timeout_seconds):
                await self._each(containers, lambda name: self._remove(name, timeout_seconds))
            case act.AwaitReady(stack, number, services, timeout_seconds):
                return await self._gate(stack, number).await_ready(services, timeout_seconds)
            case act.Smoke(stack, number, is_public):
                gate = self._gate(stack, number)
                return await (gate.smoke_publicly() if is_public else gate.smoke())
            case act.TakeRestorePoint(stack, _, _, container, name):
                folder = self._outside.files.dump_folder(stack.project)
                point = await self._outside.databases.take(container, folder, name)
                return f"{point.path} {point.size_bytes} bytes, verified"
            case act.RestoreDatabase(stack, container, point_name, database, into):
                folder = self._outside.files.dump_folder(stack.project)
                return await self._outside.databases.restore_into(
                    container, folder, point_name, database, into
                )
            case act.DropDatabase(container, database):
                await self._outside.databases.drop(container, database)
            case act.SwapDatabase(container, database, new_database, kept):
                await self._outside.databases.swap(container, database, new_database, kept)
            case act.SetPassword(stack, number, service, container):
                password = logins_of(
                    self._release(stack, number), self._sealed(self._release(stack, number))
                )[service]
                await self._outside.databases.set_password(container, password)
            case act.RunJob():
                return await self._run_job(action, work)
            case act.RemoveJob(stack, number, container, timeout_seconds):
                release_record = self._release(stack, number)
                await jobs.end(self._outside, release_record, container, timeout_seconds)
                await runtime.remove(container)
            case act.AttachRelease(stack, number, slots):
                await self._attach(self._release(stack, number), slots)
            case act.DetachRelease(stack, number):
                await router.detach(stack.project, stack.release_key(number), fence=fence)
                store.free_slots(stack.release_key(number))
            case act.ClaimHosts(claims):
                await router.claim_hosts(claims, fence=fence)
            case act.ReleaseHosts(claims):
                await router.release_hosts(claims, fence=fence)
            case act.Switch(stack, _, new):
                key = None if new is None else stack.release_key(new)
                await router.switch(stack.project, key, fence=fence)
            case act.ProbeGateway(stack, number, timeout_seconds):
                release_record = self._release(stack, number)
                return await through_gateway.await_gateway(
                    self._outside, release_record, timeout_seconds
                )
            case act.Watch(stack, number, seconds):
                return await through_gateway.watch(
                    self._outside, self._release(stack, number), seconds
                )
            case act.MarkLive(stack, number, old, warm_seconds):
                self._mark_live(stack, number, old, warm_seconds)
            case act.Drain(stack, number, timeout_seconds):
                return await self._drain(stack.release_key(number), timeout_seconds)
            case act.MarkRetired(stack, number):
                store.set_release_state(stack, number, ReleaseState.RETIRED)
                # A router that lost its table was rebuilt meanwhile, and this one had its part.
                store.free_slots(stack.release_key(number))
            case act.SetMaintenance(stack, is_on):
                await router.set_maintenance(stack.project, is_on, fence=fence)
                store.set_maintenance(stack, is_on)
            case act.TakePorts(takeover):
                await handover.take_ports(self._outside, takeover)
            case act.RedirectPorts(ports):
                await self._outside.firewall.redirect(self._outside.address_block, ports)
            case act.ProbePorts(stack, number, ports, timeout_seconds):
                return await handover.await_ports(
                    self._outside, self._release(stack, number), ports, timeout_seconds
                )
            case act.DrainProxy():
                return await handover.drain(self._outside, action)
            case act.StopProxy(container, timeout_seconds):
                await runtime.set_restart(container, "no")  # else a boot starts it again
                await runtime.stop(container, timeout_seconds)
            case act.StartProxy():
                return await handover.start_again(self._outside, action)
            case act.ForgetStack(stack):
                store.forget_stack(stack)
            case _:
                assert_never(action)
        return ""

    def _mark_live(self, stack: StackId, number: int, old: int | None, warm_seconds: float) -> None:
        warm_until = self._outside.clock.now() + timedelta(seconds=warm_seconds)
        self._outside.store.mark_live(
            stack,
            number,
            old=None if old == number else old,
            warm_until=warm_until,
            fence=self._lease.fence,
        )

    def _place(self, release: Release, *, is_state: bool) -> None:
        files = tuple(file for file in release.files if file.is_state is is_state)
        number = STATE_FILES if is_state else release.number
        wanted = replace(release, number=number, files=files)
        self._outside.files.place(wanted, self._sealed(release).secrets)

    async def _up(
        self, project: str, release: Release, services: tuple[str, ...], work: Work
    ) -> None:
        source = release.model if project == release.project else release.state_model
        model = with_environment(source, self._sealed(release).environment)
        log = self._outside.files.log_path(work.deployment_id, work.step)
        await self._outside.compose.up(project, model, services, log=log)

    async def _remove(self, name: str, timeout_seconds: float) -> None:
        container = await self._outside.runtime.container(name)
        if container is None:
            return
        if container.is_running:
            await self._outside.runtime.stop(name, timeout_seconds)
        await self._outside.runtime.remove(name)

    async def _run_job(self, job: act.RunJob, work: Work) -> str:
        release = self._release(job.stack, job.release)
        beside = None if job.beside is None else self._release(job.stack, job.beside)

        async def start() -> None:
            await self._up(release.project, release, (job.service,), work)

        return await jobs.run(self._outside, job, jobs.Surroundings(release, beside, start))

    async def _attach(self, release: Release, slots: tuple[int, ...]) -> None:
        backends, prefixes = attached(release, slots)
        await self._outside.router.attach(
            release.stack.project, backends, prefixes, fence=self._lease.fence
        )

    async def _drain(self, key: str, timeout_seconds: float) -> str:
        clock, router = self._outside.clock, self._outside.router
        start = clock.monotonic()
        while True:
            left = await router.in_flight(key)
            waited = clock.monotonic() - start
            if left == 0:
                return f"nothing in flight after {waited:.1f} s"
            if waited >= timeout_seconds:
                return f"{left} still in flight after {waited:.0f} s"
            await clock.sleep(DRAIN_POLL_SECONDS)

    def _gate(self, stack: StackId, number: int) -> Gate:
        return Gate(self._outside, self._release(stack, number))

    def _release(self, stack: StackId, number: int) -> Release:
        key = (stack, number)
        if key not in self._releases:
            found = self._outside.store.release(stack, number)
            if found is None:
                raise Bug(f"{stack} has no record of release r{number}")
            self._releases[key] = found
        return self._releases[key]

    def _sealed(self, release: Release) -> SealedValues:
        return SealedValues.from_bytes(self._outside.vault.open(release.sealed))

    def _labels(self, stack: StackId, release: int | None, work: Work) -> Mapping[str, str]:
        labels = {LABEL_STACK: str(stack), LABEL_DEPLOYMENT: f"d{work.deployment_id}"}
        return labels if release is None else {**labels, LABEL_RELEASE: str(release)}

    async def _each(self, names: tuple[str, ...], call: Any) -> None:
        limit = asyncio.Semaphore(PARALLEL_STOPS)

        async def bounded(name: str) -> None:
            async with limit:
                await call(name)

        await asyncio.gather(*(bounded(name) for name in names))
