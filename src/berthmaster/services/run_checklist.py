"""`berth verify ENV --checklist FILE`: ask every item of a list and keep the evidence.

Reads only. What cannot be asked here is skipped with its reason; nothing passes unasked.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from berthmaster.domain import smoke as smoking
from berthmaster.domain.checklist import (
    Answer,
    Asked,
    Checklist,
    How,
    Item,
    Query,
    Running,
    Setting,
    Verdict,
    judge_rows,
    judge_setting,
    shown_rows,
)
from berthmaster.domain.container import Health
from berthmaster.domain.errors import BerthmasterError, Bug, NotFound, OutsideError
from berthmaster.domain.names import StackId
from berthmaster.domain.release import Release, ReleaseService
from berthmaster.domain.sealed import SealedValues
from berthmaster.domain.spec import SmokeSpec
from berthmaster.engine.smoke import COMMAND_SECONDS, ask_publicly
from berthmaster.ports.outside import Outside
from berthmaster.services.observe import applied_states
from berthmaster.services.prepare_release import live_release

_LINE = 160  # characters of evidence


@dataclass(frozen=True, slots=True)
class Verified:
    """A list with its answers, about one release at one time."""

    checklist: Checklist
    release: Release
    answers: tuple[Answer, ...]
    at: datetime
    actor: str

    def count(self, *verdicts: Verdict) -> int:
        """How many items have one of these verdicts."""
        return sum(item.verdict in verdicts for item in self.answers)


async def run_checklist(outside: Outside, stack: StackId, checklist: Checklist) -> Verified:
    """Ask each item, one after the other; raises `NotFound` when nothing is live."""
    release = live_release(outside, stack)
    if release is None:
        raise NotFound(f"{stack} runs no release", next_command=f"berth deploy {stack}")
    answers = [await _answer(outside, release, item) for item in checklist.items]
    return Verified(checklist, release, tuple(answers), outside.clock.now(), outside.actor)


async def _answer(outside: Outside, release: Release, item: Item) -> Answer:
    if item.how is None:
        why = f"needs a person: {item.manual}" if item.manual else f"not here: {item.outside}"
        return Answer(item, Verdict.SKIPPED, why)
    start = outside.clock.monotonic()
    try:
        error, evidence = await _ask(outside, release, item.how)
    except Bug:
        raise
    except BerthmasterError as failure:
        error, evidence = failure.message.partition("\n")[0], ""
    seconds = outside.clock.monotonic() - start
    text = "; ".join(part for part in (error, evidence) if part)
    if error:
        return Answer(item, Verdict.FAILED, _short(text), seconds)
    left = item.outside or item.manual
    if left:
        return Answer(item, Verdict.PARTLY, f"{_short(text)}; not asked: {left}", seconds)
    return Answer(item, Verdict.OK, _short(text), seconds)


async def _ask(outside: Outside, release: Release, how: How) -> tuple[str, str]:
    """What is wrong, empty when nothing is, and what was found."""
    match how:
        case Asked(smoke) if smoke.command:
            return await _run(outside, release, smoke)
        case Asked(smoke):
            return await _request(outside, release, smoke)
        case Query():
            rows = await outside.databases.query(
                _state_container(outside, release, how.service), how.sql, how.database
            )
            return judge_rows(how, rows), shown_rows(rows)
        case Setting():
            return _setting(outside, release, how)
        case Running(services):
            return await _running(outside, release, services)
        case _:
            assert_never(how)


async def _request(outside: Outside, release: Release, spec: SmokeSpec) -> tuple[str, str]:
    found = await ask_publicly(outside, release, spec)
    if found is None:
        return f"{release.stack} has no host to ask", ""
    host = found.probe.host if found.probe else ""
    status = found.answer.status if found.answer else None
    answered = f"answered {status} in {found.seconds * 1000:.0f} ms" if status else "no answer"
    return found.error, f"GET {host}{spec.path} {answered}"


async def _run(outside: Outside, release: Release, spec: SmokeSpec) -> tuple[str, str]:
    service = _service(release, spec.service or "")
    container = service.containers[0]
    limit = spec.seconds or COMMAND_SECONDS
    start = outside.clock.monotonic()
    done = await outside.runtime.execute(container, spec.command, timeout_seconds=limit)
    seconds = outside.clock.monotonic() - start
    output = f"{done.output}\n{done.errors}"
    error = smoking.unmet_command(spec, done.exit_code, output, seconds)
    last = (done.output.strip() or done.errors.strip()).rpartition("\n")[2]
    return error, f"in {container}: {last or f'exit code {done.exit_code}'}"


def _setting(outside: Outside, release: Release, setting: Setting) -> tuple[str, str]:
    service = _service(release, setting.service)
    sealed = SealedValues.from_bytes(outside.vault.open(release.sealed))
    keys = service.compose_services or service.containers
    value = next(
        (sealed.environment[key].get(setting.name) for key in keys if key in sealed.environment),
        None,
    )
    error = judge_setting(setting, value)
    what = f"{setting.name} of {setting.service}"
    return (
        (f"{what} {error}", "") if error else ("", f"{what} is set, {len(value or '')} characters")
    )


async def _running(
    outside: Outside, release: Release, services: tuple[str, ...]
) -> tuple[str, str]:
    bad, good = [], []
    for name in services:
        for container in _containers(outside, release, name):
            found = await outside.runtime.container(container)
            if found is None or not found.is_running:
                bad.append(f"{container} does not run")
            elif found.health is Health.UNHEALTHY:
                bad.append(f"{container} is unhealthy")
            else:
                health = "" if found.health is Health.NONE else f" ({found.health})"
                good.append(f"{container} runs{health}")
    return ", ".join(bad), ", ".join(good)


def _service(release: Release, name: str) -> ReleaseService:
    found = next((item for item in release.services if item.name == name), None)
    if found is None or not found.containers:
        known = ", ".join(item.name for item in release.services if item.containers)
        raise OutsideError(
            f"{release.stack} {release.label} runs no service {name}; it runs {known}",
            subject=name,
        )
    return found


def _containers(outside: Outside, release: Release, name: str) -> tuple[str, ...]:
    """Of an app service by the release, of a state service by the record that it runs by."""
    applied = applied_states(outside, release.stack, release).get(name, release)
    return _service(applied, name).containers


def _state_container(outside: Outside, release: Release, name: str) -> str:
    return _containers(outside, release, name)[0]


def _short(text: str) -> str:
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= _LINE else f"{line[: _LINE - 3]}..."
