"""Checks of what the app is told: debug, hosts, origins, its environment, database TLS, logs.

Looks at the values a container would get, the image's own beneath them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from berthmaster.domain import checks
from berthmaster.domain.check import PRODUCTION, Check, CheckKind
from berthmaster.domain.spec import Role
from berthmaster.planner import composemodel as compose
from berthmaster.planner import settingrules
from berthmaster.planner.settingrules import SettingFinding
from berthmaster.services.checks.facts import CheckFacts

Rule = Callable[[Mapping[str, str]], Iterable[SettingFinding]]
# Drivers that write to a file of their own and never turn it over unless told.
_ENDLESS_DRIVERS: Final = frozenset({"json-file"})


async def check_debug(facts: CheckFacts) -> list[Check]:
    """No app service runs with its debug switch on."""
    return await _apply(facts, checks.DEBUG, settingrules.find_debug, "no debug switch is on")


async def check_allowed_hosts(facts: CheckFacts) -> list[Check]:
    """No host list holds a star."""
    rule = settingrules.find_open_hosts
    return await _apply(facts, checks.ALLOWED_HOSTS, rule, "no host list holds a star")


async def check_cors(facts: CheckFacts) -> list[Check]:
    """No cross-origin rule allows every site."""
    rule = settingrules.find_open_origins
    return await _apply(facts, checks.CORS, rule, "no rule allows every origin")


async def check_app_environment(facts: CheckFacts) -> list[Check]:
    """The app is told that it is in production."""
    name = facts.environment.name

    def rule(values: Mapping[str, str]) -> Iterator[SettingFinding]:
        is_production = name in PRODUCTION
        return settingrules.find_wrong_environment(values, name, is_production=is_production)

    return await _apply(facts, checks.APP_ENV, rule, f"nothing says anything else than {name}")


async def check_database_tls(facts: CheckFacts) -> list[Check]:
    """Every database setting asks for TLS."""
    rule = settingrules.find_plain_database
    return await _apply(facts, checks.DATABASE_TLS, rule, "no setting goes without TLS")


async def check_logging(facts: CheckFacts) -> list[Check]:
    """Logs are turned over; what says nothing of logs gets 3 files of 10 MB."""
    services = compose.services_of(facts.rendering.model)
    found = []
    for name, service in services.items():
        logging = service.get("logging") or {}
        driver = str(logging.get("driver") or "json-file")
        options = logging.get("options") or {}
        if logging and driver in _ENDLESS_DRIVERS and not options.get("max-size"):
            found.append(checks.LOGGING.failed(f"{name}: logs grow without end ({driver})"))
    return found or [checks.LOGGING.ok(f"{len(services)} services turn their logs over")]


async def _apply(facts: CheckFacts, kind: CheckKind, rule: Rule, good: str) -> list[Check]:
    """One answer for each finding, with all services that have it."""
    services: dict[SettingFinding, list[str]] = {}
    for service, settings in (await app_settings(facts)).items():
        for item in rule(settings):
            services.setdefault(item, []).append(service)
    found = []
    for item, names in services.items():
        answer = kind.note if item.is_doubt else kind.failed
        found.append(answer(f"{', '.join(names)}: {item.evidence}", item.remedy))
    return found or [kind.ok(good)]


async def app_settings(facts: CheckFacts) -> dict[str, dict[str, str]]:
    """Environment values of each app service and job: the image's, then the Compose files'."""
    decisions = facts.rendering.decisions
    wanted = [
        item.service for item in decisions if item.role.is_app_service or item.role is Role.JOB
    ]
    services = compose.services_of(facts.rendering.model)
    found = {}
    for name in wanted:
        image = await facts.local_image(str(services[name].get("image") or ""))
        own = compose.environment_of(services[name])
        written = {key: value for key, value in own.items() if value is not None}
        found[name] = {**(image.environment if image else {}), **written}
    return found
