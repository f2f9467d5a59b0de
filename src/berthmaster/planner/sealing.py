"""Taking secret values out of a model, and putting them back.

Environment values leave altogether (their names stay, so that the model documents them). A value of
a secret-looking variable that also stands in a command, a healthcheck or a label becomes a
placeholder there.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from berthmaster.domain.errors import Bug
from berthmaster.planner import composemodel as compose

SECRET_NAME: Final = re.compile(
    r"PASSW|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|(?:^|_)KEY(?:$|_)|(?:^|_)(?:PWD|DSN)$",
    re.IGNORECASE,
)
MIN_LENGTH: Final = 4  # shorter values would be found in every second word
_PLACES: Final = ("_FILE", "_PATH", "_DIR")  # where a secret is, not the secret
_CONCEALED: Final = (
    "annotations",
    "command",
    "entrypoint",
    "extra_hosts",
    "healthcheck",
    "labels",
    "logging",
    "post_start",
    "pre_stop",
    "sysctls",
)


def known_secrets(
    model: Mapping[str, Any],
    variables: Mapping[str, str],
    secret_variables: Mapping[str, str] | None = None,
) -> tuple[tuple[str, str], ...]:
    """Placeholder and value of everything worth hiding.

    That is each value of a secret-looking name, in `.env` files or in a service's environment, and
    everything that came from the secrets folder.
    """
    always = secret_variables or {}
    named = {*variables.items(), *always.items()}
    for service in compose.services_of(model).values():
        named |= {(name, value or "") for name, value in compose.environment_of(service).items()}
    found: dict[str, str] = {}  # value -> placeholder
    for name, value in sorted(named):
        is_secret = _is_secret(name, value) or (always.get(name) == value and _is_worth_it(value))
        if is_secret and value not in found:
            same = sum(
                placeholder.startswith(f"{{{{secret {name}") for placeholder in found.values()
            )
            found[value] = f"{{{{secret {name}{f' {same + 1}' if same else ''}}}}}"
    return tuple((placeholder, value) for value, placeholder in sorted(found.items()))


def _is_secret(name: str, value: str) -> bool:
    is_place = name.upper().endswith(_PLACES)
    return _is_worth_it(value) and not is_place and SECRET_NAME.search(name) is not None


def _is_worth_it(value: str) -> bool:
    return len(value) >= MIN_LENGTH


def split_environment(
    service: dict[str, Any], source: Mapping[str, Any], secrets: Iterable[tuple[str, str]]
) -> dict[str, str]:
    """Take the secret values out of `service`, which is changed; returns them by name."""
    values = {k: v for k, v in sorted(compose.environment_of(source).items()) if v is not None}
    if values:
        service["environment"] = dict.fromkeys(values)
    placeholders = {value: placeholder for placeholder, value in secrets}
    present = [service[key] for key in _CONCEALED if key in service]
    text = "\n".join(compose.strings_in(present))
    hidden = {value: name for value, name in placeholders.items() if value in text}
    _replace_parts(service, hidden)
    return {**values, **{placeholder: value for value, placeholder in hidden.items()}}


def with_environment(
    model: Mapping[str, Any], environment: Mapping[str, Mapping[str, str]]
) -> Mapping[str, Any]:
    """A copy of a rendered model with its environment values put back; it is secret from here on.

    Raises `Bug` when a value is missing: a container must never start with half its settings.
    """
    complete = copy.deepcopy(dict(model))
    for key, service in complete.get("services", {}).items():
        values = environment.get(key, {})
        names = service.get("environment") or {}
        missing = sorted(set(names) - set(values))
        if missing:
            raise Bug(f"{key}: the sealed values lack {', '.join(missing)}")
        if names:
            service["environment"] = {name: values[name] for name in names}
        hidden = {name: values[name] for name in values if name.startswith("{{secret ")}
        _replace_parts(service, hidden)
    return complete


def _replace_parts(service: dict[str, Any], table: Mapping[str, str]) -> None:
    """Replace texts in one pass, so that what was put in is not looked at again."""
    if not table:
        return
    ordered = sorted(table, key=lambda text: (-len(text), text))
    pattern = re.compile("|".join(re.escape(text) for text in ordered))
    for key in _CONCEALED:
        if key in service:
            service[key] = _replaced(service[key], pattern, table)


def _replaced(value: Any, pattern: re.Pattern[str], table: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return pattern.sub(lambda match: table[match.group()], value)
    if isinstance(value, Mapping):
        return {key: _replaced(item, pattern, table) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(item, pattern, table) for item in value]
    return value
