"""The gate (D6): says yes only to what was asked for, runs, stays up, is healthy and answers.

Reads through ports and changes nothing. A container is good when its image is the pinned one, it
runs, it was not restarted, its healthcheck (if any) passes, its readiness probe (if routed) is
answered well at its own address with the public Host header, and it has stayed up for
`SETTLE_SECONDS` when nothing else vouches for it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from berthmaster.domain.container import Container, Health
from berthmaster.domain.errors import BerthmasterError, DeploymentFailed, OutsideError
from berthmaster.domain.hosting import public_host
from berthmaster.domain.probing import Probe, ProbeResult
from berthmaster.domain.release import ImagePin, Release, ReleaseRoute, ReleaseService, Upstream
from berthmaster.domain.report import Evidence, ReleaseRefused
from berthmaster.domain.spec import Role
from berthmaster.engine import smoke as smoking
from berthmaster.engine.masking import mask_of
from berthmaster.planner.diagnosis import diagnose
from berthmaster.ports.outside import Outside

POLL_SECONDS: Final = 0.1
# A process with neither healthcheck nor probe must last this long before others follow; the watch
# after the switch (20 s by default) is what catches a later death.
SETTLE_SECONDS: Final = 1.0
LOG_LINES: Final = 12
OWN_CHECK_SECONDS: Final = 0.5  # between two runs of a container's healthcheck by the gate
OWN_CHECK_TIMEOUT_SECONDS: Final = 10.0
EXIT_CODE_SECONDS: Final = 3.0  # a crash loop shows its exit code only between two lives
CERTAIN_ANSWERS: Final = 100  # polls with the same refusing answer after which waiting is pointless
LISTENING_ANSWERS: Final = 20  # refused polls after which the listeners are looked at


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a container is good now, hopeless, or to be asked again."""

    is_good: bool = False
    failure: str = ""  # not empty: waiting cannot help
    waiting_for: str = ""
    probe: Probe | None = None
    answer: ProbeResult | None = None
    is_vouched: bool = False  # its own healthcheck passes


class Gate:
    """Waits for the containers of one release."""

    def __init__(self, outside: Outside, release: Release) -> None:
        self._outside = outside
        self._release = release
        self._image_ids: dict[str, str] = {}  # by digest: cannot change
        self._first_seen: dict[tuple[str, datetime | None, int], float] = {}
        self._asked_at: dict[str, float] = {}  # container -> when its own check was run last

    async def await_ready(self, names: tuple[str, ...], timeout_seconds: float) -> str:
        """Wait until every container of these services is good; raises `ReleaseRefused` if not.

        Returns what was found, in a few words, for the journal.
        """
        clock = self._outside.clock
        start = clock.monotonic()
        waiting = {
            container: service
            for service in self._release.services
            if service.name in names
            for container in service.containers
        }
        count = len(waiting)
        repeated: dict[tuple[str, str], int] = {}
        while waiting:
            for name, service in list(waiting.items()):
                container = await self._outside.runtime.container(name)
                verdict = await self._judge(service, name, container)
                verdict = await self._grown_certain(verdict, name, repeated)
                if verdict.is_good:
                    del waiting[name]
                elif verdict.failure:
                    raise await self.refusal(service, name, verdict.failure, verdict)
                elif clock.monotonic() - start > timeout_seconds:
                    what = (
                        f"did not become ready in {timeout_seconds:.0f} s ({verdict.waiting_for})"
                    )
                    raise await self.refusal(service, name, what, verdict)
            if waiting:
                await clock.sleep(POLL_SECONDS)
        return f"{count} ready after {clock.monotonic() - start:.1f} s"

    async def _judge(
        self, service: ReleaseService, name: str, container: Container | None
    ) -> Verdict:
        if container is None:
            return Verdict(failure="is not there")
        if service.image and container.image_id != await self._wanted_image(service.image):
            return Verdict(failure=f"runs another image than {service.image.runs_as}")
        adopted = self._release.adopted.get(name)
        if adopted not in (None, container.id):
            return Verdict(failure="is another container than the one that was adopted")
        was_restarted = container.restart_count > 0 and adopted is None  # it may have a past
        if container.state in ("exited", "dead", "restarting") or was_restarted:
            return Verdict(failure="does not stay up")
        if not container.is_running:
            return Verdict(waiting_for=f"it is {container.state}", failure=container.error)
        if container.health is Health.UNHEALTHY:
            return Verdict(failure="is unhealthy")
        answer = await self._ask(service, name)
        if container.health is Health.STARTING and not await self._passes_own_check(container):
            return Verdict(waiting_for="healthcheck", probe=answer[0], answer=answer[1])
        if answer[1] is not None and not answer[1].is_good:
            has_check = container.health is not Health.NONE
            return Verdict(
                waiting_for="probe", probe=answer[0], answer=answer[1], is_vouched=has_check
            )
        is_vouched = container.health is not Health.NONE or answer[1] is not None
        if not is_vouched and self._settled_seconds(container) < SETTLE_SECONDS:
            return Verdict(waiting_for=f"it must last {SETTLE_SECONDS:.0f} s")
        return Verdict(is_good=True)

    def _settled_seconds(self, container: Container) -> float:
        """How long this life of it has been seen; the wall clock may be set at any moment."""
        life = (container.name, container.started_at, container.restart_count)
        now = self._outside.clock.monotonic()
        return now - self._first_seen.setdefault(life, now)

    async def _grown_certain(
        self, verdict: Verdict, name: str, repeated: dict[tuple[str, str], int]
    ) -> Verdict:
        """Give up early on what waiting cannot change.

        That is a refused Host, a redirect circle, a listener on loopback only; and another port
        than the probed one, when the container's own healthcheck says that it is ready.
        """
        answer = verdict.answer
        if verdict.is_good or verdict.failure or answer is None or verdict.waiting_for != "probe":
            return verdict
        key = (name, answer.describe())
        repeated[key] = repeated.get(key, 0) + 1
        if answer.refused and repeated[key] % LISTENING_ANSWERS == 0:
            failure = await self._listens_elsewhere(verdict, name, repeated[key])
            return replace(verdict, failure=failure)
        is_final = answer.status is not None and answer.status < 500
        if not is_final or repeated[key] < CERTAIN_ANSWERS:
            return verdict
        return replace(verdict, failure=answer.describe())

    async def _listens_elsewhere(self, verdict: Verdict, name: str, count: int) -> str:
        listens = await self._outside.runtime.listening(name)
        port = verdict.probe.port if verdict.probe else 0
        here = [item for item in listens if item.endswith(f":{port}")]
        if here and all(item.startswith(("127.", "[::1]")) for item in here):
            return f"listens on {here[0]} only"
        is_ready_elsewhere = verdict.is_vouched and listens and not here
        if is_ready_elsewhere and count >= CERTAIN_ANSWERS:
            return f"does not listen on port {port}"
        return ""

    async def _passes_own_check(self, container: Container) -> bool:
        """Run the container's healthcheck now instead of waiting for the engine's next round.

        Engines below 25 ask only once in each `interval`, so a service that was ready after half a
        second would count as starting for many more. The engine goes on asking; the watch heeds it.
        """
        clock = self._outside.clock
        last = self._asked_at.get(container.name)
        if not container.healthcheck:
            return False
        if last is not None and clock.monotonic() - last < OWN_CHECK_SECONDS:
            return False
        self._asked_at[container.name] = clock.monotonic()
        try:
            result = await self._outside.runtime.execute(
                container.name, container.healthcheck, timeout_seconds=OWN_CHECK_TIMEOUT_SECONDS
            )
        except OutsideError:  # it may just be restarting: the next look will tell
            return False
        return result.exit_code == 0

    async def _wanted_image(self, pin: ImagePin) -> str:
        if pin.runs_as not in self._image_ids:
            image = await self._outside.runtime.image(pin.runs_as)
            self._image_ids[pin.runs_as] = image.id if image else "not there"
        return self._image_ids[pin.runs_as]

    async def _ask(
        self, service: ReleaseService, name: str
    ) -> tuple[Probe | None, ProbeResult | None]:
        """Ask each route of the container; return the first bad answer, else the last good one."""
        last: tuple[Probe | None, ProbeResult | None] = (None, None)
        for route in self._release.routes:
            for upstream in route.upstreams:
                if upstream.container == name and route.service == service.name:
                    probe = readiness_probe(self._release, route, upstream)
                    last = (probe, await self._outside.prober.probe(probe))
                    if last[1] is not None and not last[1].is_good:
                        return last
        return last

    async def smoke(self) -> str:
        """Ask the declared conditions of the release itself; raises `ReleaseRefused`."""
        return await self._held(smoking.ask_directly)

    async def smoke_publicly(self) -> str:
        """The same through the gateway, and the commands that waited; raises `ReleaseRefused`."""
        return await self._held(smoking.ask_publicly)

    async def _held(self, ask: smoking.Asking) -> str:
        count = 0
        for spec in self._release.smoke:
            found = await ask(self._outside, self._release, spec)
            if found is not None and found.error:
                raise await self._unmet(found)
            count += found is not None
        return f"{count} smoke condition{'' if count == 1 else 's'} held"

    async def _unmet(self, found: smoking.Finding) -> BerthmasterError:
        what = f"failed the smoke condition {found.condition} {found.way}: {found.error}"
        if found.service is None:
            return DeploymentFailed(f"{self._release.label} {what}")
        service = _service(self._release, found.service)
        verdict = Verdict(probe=found.probe, answer=found.answer)
        return await self.refusal(service, found.container, what, verdict)

    async def find_death(self) -> Verdict | None:
        """For the watch: the first container of the release that is not as it must be, or None."""
        for service in self._release.with_role(Role.ROUTED, Role.CONSUMER, Role.SINGLE):
            for name in service.containers:
                container = await self._outside.runtime.container(name)
                is_restarted = container is not None and container.restart_count > 0
                if name in self._release.adopted:
                    is_restarted = False
                if container is None or not container.is_running or is_restarted:
                    raise await self.refusal(service, name, "died while it was watched", Verdict())
                if container.health is Health.UNHEALTHY:
                    what = "became unhealthy while it was watched"
                    raise await self.refusal(service, name, what, Verdict())
        return None

    async def _between_lives(self, name: str) -> Container | None:
        """The container, if it crashes over and over at a moment when its exit code can be read."""
        clock = self._outside.clock
        start = clock.monotonic()
        while True:
            container = await self._outside.runtime.container(name)
            if container is None or not (container.restart_count and container.is_running):
                return container
            if clock.monotonic() - start > EXIT_CODE_SECONDS:
                return container
            await clock.sleep(POLL_SECONDS)

    async def refusal(
        self, service: ReleaseService, name: str, what: str, verdict: Verdict
    ) -> ReleaseRefused:
        """Gather the evidence about a container and name the likely cause."""
        runtime = self._outside.runtime
        container = await self._between_lives(name)
        log = await runtime.logs(name, lines=LOG_LINES) if container else ""
        mask = mask_of(self._outside, self._release)
        probe, answer = verdict.probe, verdict.answer
        facts = Evidence(
            service=service.name,
            container=name,
            what=what,
            state=container.state if container else "missing",
            exit_code=container.exit_code if container else None,
            is_oom_killed=container.is_oom_killed if container else False,
            restart_count=container.restart_count if container else 0,
            health=container.health.value if container else "none",
            health_output=mask.apply(container.health_output) if container else "",
            probe=probe.describe() if probe else "",
            answer=answer.describe() if answer else "",
            is_refused=answer.refused if answer else False,
            status=answer.status if answer else None,
            location=answer.location if answer else None,
            listens=await runtime.listening(name) if container and container.is_running else (),
            wanted_port=probe.port if probe else None,
            log=tuple(mask.apply(log).splitlines()[-LOG_LINES:]),
            engine_error=mask.apply(container.error) if container else "",
        )
        return ReleaseRefused(facts, diagnose(facts))


def readiness_probe(release: Release, route: ReleaseRoute, upstream: Upstream) -> Probe:
    """What the gate asks one container; without `ready`, the route's own path, judged leniently."""
    return Probe(
        upstream.address,
        upstream.port,
        route.ready or route.path,
        public_host(release, route),
        wants=route.ready_status,
        is_lenient=route.ready is None,
        forwarded_proto="https",
    )


def _service(release: Release, name: str | None) -> ReleaseService:
    return next(item for item in release.services if item.name == name)
