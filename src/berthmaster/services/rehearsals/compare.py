"""`berth rehearse compare`: the same requests to production and to its copy, then the smoke
conditions of the copy.

Both are asked at a container's own address with production's host, so that what answers believes
that it is the real one. What came of it is recorded as a judgement: shipping asks for it.
"""

from dataclasses import dataclass
from pathlib import Path

from berthmaster.domain.errors import NotFound
from berthmaster.domain.hosting import answering
from berthmaster.domain.judgement import Judgement, JudgementKind
from berthmaster.domain.names import StackId
from berthmaster.domain.parity import Parity, compare_answers
from berthmaster.domain.probing import Probe, ProbeResult
from berthmaster.domain.rehearsal import copy_of
from berthmaster.domain.release import Release
from berthmaster.domain.spec import ParitySpec
from berthmaster.engine.smoke import REQUEST_SECONDS, Finding, smoke_host
from berthmaster.ports.outside import Outside
from berthmaster.services.judge import smoke_text
from berthmaster.services.prepare_release import live_release
from berthmaster.services.tenant_spec import read_spec
from berthmaster.services.verify import ask_all


@dataclass(frozen=True, slots=True)
class Compared:
    """How production and its copy answered, and what the copy's conditions say."""

    production: Release
    rehearsal: Release
    parity: tuple[Parity, ...]
    findings: tuple[Finding, ...]

    @property
    def different(self) -> tuple[Parity, ...]:
        """Requests that were not answered alike."""
        return tuple(item for item in self.parity if item.differences)

    @property
    def unmet(self) -> tuple[Finding, ...]:
        """Smoke conditions that did not hold."""
        return tuple(item for item in self.findings if item.error)

    @property
    def is_good(self) -> bool:
        """Whether it may be shipped, as far as answers tell."""
        return not self.different and not self.unmet

    @property
    def text(self) -> str:
        """One line for the record."""
        if self.is_good:
            alike = f"{len(self.parity)} request{'s' * (len(self.parity) != 1)} answered alike"
            return f"{alike}; {smoke_text(len(self.rehearsal.smoke))}"
        named = [f"parity of {item.request}" for item in self.different]
        named += [f"{item.condition} {item.way}" for item in self.unmet]
        return f"failed: {'; '.join(named)}"


async def compare(outside: Outside, stack: StackId) -> Compared:
    """Ask both, and record it; raises `NotFound` without a copy."""
    copy = copy_of(stack)
    theirs, ours = live_release(outside, copy), live_release(outside, stack)
    if theirs is None or ours is None:
        raise NotFound(f"{stack} has no rehearsal", next_command=f"berth rehearse {stack}")
    spec = read_spec(outside, Path(theirs.folder), copy)
    lines = [await _ask_both(outside, item, ours, theirs) for item in spec.rehearsal.parity]
    found = Compared(ours, theirs, tuple(lines), await ask_all(outside, theirs))
    outside.store.judge(_judgement(outside, found))
    return found


async def _ask_both(outside: Outside, spec: ParitySpec, ours: Release, theirs: Release) -> Parity:
    host = spec.host or smoke_host(ours, _path(spec))
    return compare_answers(
        spec,
        await _ask(outside, spec, ours, host),
        await _ask(outside, spec, theirs, host),
    )


async def _ask(outside: Outside, spec: ParitySpec, release: Release, host: str) -> ProbeResult:
    """Ask the first container that answers the path; a route of certain hosts counts for all."""
    route = answering(release.routes, host, _path(spec))
    if route is None or not route.upstreams:
        by = "a site answers it" if route else "no route answers it"
        return ProbeResult(None, is_good=False, seconds=0.0, error=f"{by}; it is not asked")
    upstream = route.upstreams[0]
    return await outside.prober.probe(
        Probe(
            upstream.address,
            upstream.port,
            spec.path,
            host,
            is_lenient=True,
            timeout_seconds=REQUEST_SECONDS,
            forwarded_proto="https",
            method=spec.method,
            sends=dict(spec.headers),
            keeps_body=True,
        )
    )


def _path(spec: ParitySpec) -> str:
    return spec.path.partition("?")[0]


def _judgement(outside: Outside, found: Compared) -> Judgement:
    release = found.rehearsal
    return Judgement(
        at=outside.clock.now(),
        actor=outside.actor,
        kind=JudgementKind.VERIFIED if found.is_good else JudgementKind.UNVERIFIED,
        app=release.stack.app,
        stack=release.stack,
        artifact=release.artifact,
        release=release.number,
        why=found.text,
    )
