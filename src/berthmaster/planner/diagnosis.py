"""Names the likely cause of a refused release from the evidence; pure, ordered from certain to
vague.
"""

import re
from collections.abc import Callable
from typing import Final

from berthmaster.domain.report import Diagnosis, Evidence

_MISSING_VARIABLE: Final = re.compile(
    r"KeyError: '(?P<a>[A-Z][A-Z0-9_]+)'"
    r"|(?P<b>[A-Z][A-Z0-9_]{2,}) (?:is|must be) (?:not set|required|missing|set)"
    r"|(?:missing|required|set) (?:the )?(?:environment )?variable:? (?P<c>[A-Z][A-Z0-9_]+)"
    r"|(?P<d>[A-Z][A-Z0-9_]{2,}): parameter (?:not set|null)"
)
_READ_ERROR: Final = re.compile(
    r"(?:PermissionError|Permission denied).*?(/run/secrets/[\w.-]+|'[^']+')"
)
_SECONDS: Final = re.compile(r"[Nn]o space left on device")


def diagnose(facts: Evidence) -> Diagnosis:
    """Return the first cause whose evidence is there."""
    for rule in _RULES:
        found = rule(facts)
        if found:
            return found
    return Diagnosis(
        "unknown", "The cause is not known.", "Read its log: berth logs, or berth show."
    )


def _locked_out(facts: Evidence) -> Diagnosis | None:
    """A job that harmed the release which had to serve beside it."""
    old = facts.locked_out
    if not old:
        return None
    apart = "expand first, contract in a later release, take short locks (lock_timeout)"
    if not facts.is_lasting:
        return Diagnosis(
            "migration_locks_out",
            f"It kept {old} from what it needs while it ran, probably by a lock; since it was "
            f"stopped, {old} answers well again.",
            f"Let {old} work beside it: {apart}; or declare the job `compatible: no`.",
        )
    back = f"Put the data back: {facts.restore_command}. " if facts.restore_command else ""
    return Diagnosis(
        "migration_locks_out",
        f"What it did stays and {old} cannot work with it: {old} is live and does NOT answer well.",
        f"{back}Then let {old} work on the new schema: {apart}; or declare the job "
        "`compatible: no`.",
    )


def _engine(facts: Evidence) -> Diagnosis | None:
    if not facts.engine_error:
        return None
    text = facts.engine_error
    if "exec format error" in text:
        return _architecture()
    if "executable file not found" in text or "no such file or directory" in text:
        return Diagnosis(
            "command_missing", f"Its command cannot be started: {text}", "Correct `command`."
        )
    return Diagnosis("engine", f"Docker could not start it: {text}", "Correct what Docker names.")


def _oom(facts: Evidence) -> Diagnosis | None:
    if not (facts.is_oom_killed or (facts.exit_code == 137 and "MemoryError" in _log(facts))):
        return None
    return Diagnosis(
        "out_of_memory",
        "The kernel killed it: it used more memory than its limit.",
        "Raise deploy.resources.limits.memory or mem_limit, or use less.",
    )


def _log_rules(facts: Evidence) -> Diagnosis | None:
    text = _log(facts)
    if "exec format error" in text:
        return _architecture()
    if _SECONDS.search(text):
        return Diagnosis(
            "disk_full", "It found no space left on its disk.", "Free or enlarge the disk."
        )
    match = _MISSING_VARIABLE.search(text)
    if match:
        name = next(group for group in match.groups() if group)
        return Diagnosis(
            "missing_variable",
            f"The variable {name} seems to be missing.",
            f"Set {name} in the environment's env file.",
        )
    match = _READ_ERROR.search(text)
    if match:
        return Diagnosis(
            "unreadable_file",
            f"It may not read {match.group(1)}.",
            "Set secrets.<name>.uid to the uid it runs as.",
        )
    return None


def _needs(facts: Evidence) -> Diagnosis | None:
    match = re.search(
        r"could not translate host name \W?([\w.-]+)|getaddrinfo \w+ ([\w.-]+)"
        r"|Name or service not known.*?([\w.-]+)?|Temporary failure in name resolution",
        _log(facts),
    )
    if not match or not (_has_died(facts) or (facts.status or 0) >= 500):
        return None
    name = next((group for group in match.groups() if group), "a service")
    return Diagnosis(
        "service_missing",
        f"It looks for {name}, which does not resolve inside the stack.",
        "Add the service to the Compose files, or correct the host name.",
    )


def _died(facts: Evidence) -> Diagnosis | None:
    if not _has_died(facts):
        return None
    if facts.exit_code == 0:
        return Diagnosis(
            "exits_zero",
            "It ended by itself with exit code 0: a service must keep running.",
            "Run it in the foreground, or declare it as a job.",
        )
    code = "" if facts.exit_code is None else f" with exit code {facts.exit_code}"
    again = f" and was restarted {_times(facts.restart_count)}" if facts.restart_count else ""
    return Diagnosis(
        "crash_loop",
        f"Its process ended{code}{again}.",
        "Its last log lines say why.",
    )


def _redirect(facts: Evidence) -> Diagnosis | None:
    if facts.location is None or facts.status not in (301, 302, 303, 307, 308):
        return None
    return Diagnosis(
        "redirect",
        f"It answers with a redirect to {facts.location} although X-Forwarded-Proto says https.",
        "Let the app trust X-Forwarded-Proto (Django: SECURE_PROXY_SSL_HEADER).",
    )


def _host_check(facts: Evidence) -> Diagnosis | None:
    if facts.status not in (400, 403, 421):
        return None
    return Diagnosis(
        "refuses_host",
        f"It answers {facts.status}: it probably refuses the public Host header.",
        "Add the environment's hosts to those it allows (Django: ALLOWED_HOSTS, a leading dot).",
    )


def _listening(facts: Evidence) -> Diagnosis | None:
    if not facts.is_refused or facts.state != "running":
        return None
    wanted = facts.wanted_port
    local = [item for item in facts.listens if item.startswith(("127.", "[::1]"))]
    if any(item.endswith(f":{wanted}") for item in local):
        return Diagnosis(
            "listens_on_localhost",
            f"It listens on {local[0]} only, where nobody outside its container can reach it.",
            f"Let it listen on 0.0.0.0:{wanted}.",
        )
    if facts.listens:
        return Diagnosis(
            "wrong_port",
            f"Nothing listens on port {wanted}; it listens on {', '.join(facts.listens)}.",
            "Correct `port` of the route in berth.yaml, or the port the app listens on.",
        )
    return Diagnosis(
        "slow_start",
        f"Nothing listens on port {wanted} yet.",
        "If it only starts slowly, raise services.<name>.ready.",
    )


def _error_answer(facts: Evidence) -> Diagnosis | None:
    if facts.status is None or facts.status < 400:
        return None
    return Diagnosis(
        "bad_answer", f"It answers {facts.status}.", "Its last log lines should say why."
    )


def _no_answer(facts: Evidence) -> Diagnosis | None:
    if not facts.probe or facts.status is not None or facts.is_refused or not facts.answer:
        return None
    return Diagnosis(
        "no_answer",
        f"Port {facts.wanted_port} takes connections, but gives no HTTP answer: {facts.answer}.",
        "It may wait for something it needs, or `port` is another protocol's.",
    )


def _unhealthy(facts: Evidence) -> Diagnosis | None:
    if facts.health not in ("unhealthy", "starting"):
        return None
    output = facts.health_output.lower()
    if "not found" in output or "no such file" in output:
        return Diagnosis(
            "healthcheck_tool",
            "Its healthcheck calls a program that is not in the image.",
            "Use a program that the image has, or install it.",
        )
    if facts.health == "starting":
        return Diagnosis(
            "slow_start",
            "Its healthcheck has not passed yet.",
            "If it only starts slowly, raise services.<name>.ready.",
        )
    return Diagnosis(
        "never_healthy", "Its healthcheck fails.", "The health line says what it printed."
    )


def _smoke(facts: Evidence) -> Diagnosis | None:
    if "smoke condition" not in facts.what:
        return None
    return Diagnosis(
        "bad_smoke",
        f"It answers, but not as `smoke` in berth.yaml wants: {facts.answer}."
        if facts.answer
        else "It runs, but a command that `smoke` in berth.yaml names did not end as it wants.",
        "Correct what it does, or the condition in berth.yaml.",
    )


def _architecture() -> Diagnosis:
    return Diagnosis(
        "wrong_architecture",
        "The image is built for another processor.",
        "Build it for this server's platform: docker buildx build --platform ...",
    )


def _has_died(facts: Evidence) -> bool:
    return facts.state in ("exited", "dead", "restarting") or facts.restart_count > 0


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _log(facts: Evidence) -> str:
    return "\n".join(facts.log)


_RULES: Final[tuple[Callable[[Evidence], Diagnosis | None], ...]] = (
    _locked_out,
    _engine,
    _oom,
    _log_rules,
    _needs,
    _died,
    _redirect,
    _host_check,
    _listening,
    _error_answer,
    _no_answer,
    _unhealthy,
    _smoke,
)
