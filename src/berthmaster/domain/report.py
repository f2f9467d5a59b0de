"""What a person is told when a release was refused: facts first, then the likely cause and the
remedy.
"""

from dataclasses import dataclass

from berthmaster.domain.errors import DeploymentFailed
from berthmaster.domain.names import shown


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the gate knew about one container when it gave up."""

    service: str
    container: str
    what: str  # one sentence: `did not become ready in 60 s`
    state: str = "missing"
    exit_code: int | None = None
    is_oom_killed: bool = False
    restart_count: int = 0
    health: str = "none"
    health_output: str = ""
    probe: str = ""  # what was asked
    answer: str = ""  # what came back
    is_refused: bool = False  # nothing listened where the probe asked
    status: int | None = None
    location: str | None = None
    listens: tuple[str, ...] = ()  # `127.0.0.1:8000`, read inside the container's network namespace
    wanted_port: int | None = None
    log: tuple[str, ...] = ()  # last lines
    engine_error: str = ""
    locked_out: str = ""  # the release that stopped answering while this job ran: `r6`
    is_lasting: bool = False  # it still did not answer well after the job had ended
    restore_command: str = ""  # what puts back the data of before the job


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The likely cause and what to do about it."""

    cause: str  # id, e.g. `wrong_port`
    sentence: str
    remedy: str


class ReleaseRefused(DeploymentFailed):
    """A container of the new release failed the gate, the watch, a job or a smoke request."""

    def __init__(self, evidence: Evidence, diagnosis: Diagnosis) -> None:
        super().__init__(f"{evidence.container}: {evidence.what}. {diagnosis.sentence}")
        self.evidence = evidence
        self.diagnosis = diagnosis

    def report(self) -> str:
        """The whole report, as `berth show` prints it again."""
        facts = self.evidence
        lines = [
            f"{facts.service} ({facts.container}) {facts.what}",
            f"  cause      {self.diagnosis.sentence}",
            f"  remedy     {self.diagnosis.remedy}",
            f"  container  {_state(facts)}",
        ]
        if facts.probe:
            lines.append(f"  probe      {facts.probe}: {facts.answer or 'not asked'}")
        if facts.health_output:
            lines.append(f"  health     {facts.health}: {_one_line(facts.health_output)}")
        if facts.listens:
            lines.append(f"  listens    {', '.join(facts.listens)}")
        if facts.engine_error:
            lines.append(f"  engine     {facts.engine_error}")
        lines += [f"  log        {shown(line)}" for line in facts.log]
        return "\n".join(lines)


def _one_line(text: str) -> str:
    return shown(" ".join(text.split())[:300])


def _state(facts: Evidence) -> str:
    parts = [facts.state]
    if facts.exit_code is not None and facts.state != "running":
        parts.append(f"exit code {facts.exit_code}")
    if facts.is_oom_killed:
        parts.append("killed: out of memory")
    parts.append(f"{facts.restart_count} restarts")
    parts.append(f"health {facts.health}")
    return ", ".join(parts)
