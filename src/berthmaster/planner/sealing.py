"""Taking secret values out of a model, and putting them back.

Environment values leave altogether (their names stay, so that the model documents them). A value of
a secret-looking variable that also stands in a command, a healthcheck or a label becomes a
placeholder there.
"""

import copy
import re
from collections.abc import Mapping
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


def split_environment(
    service: dict[str, Any], source: Mapping[str, Any], variables: Mapping[str, str]
) -> dict[str, str]:
    """Take the secret values out of `service`, which is changed; returns them by name."""
    values = {k: v for k, v in sorted(compose.environment_of(source).items()) if v is not None}
    if values:
        service["environment"] = dict.fromkeys(values)
    hidden: dict[str, str] = {}
    for name, value in _secrets({**variables, **values}):
        placeholder = f"{{{{secret {name}}}}}"
        for key in _CONCEALED:
            if key in service and any(value in text for text in compose.strings_in(service[key])):
                service[key] = _replaced(service[key], value, placeholder)
                hidden[placeholder] = value
    return {**values, **hidden}


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
        for placeholder in sorted(name for name in values if name.startswith("{{secret ")):
            for part in _CONCEALED:
                if part in service:
                    service[part] = _replaced(service[part], placeholder, values[placeholder])
    return complete


def _secrets(variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """Names and values worth hiding, the longest first: one value may be part of another."""
    found = [
        (name, value)
        for name, value in variables.items()
        if len(value) >= MIN_LENGTH
        and SECRET_NAME.search(name)
        and not name.upper().endswith(_PLACES)
    ]
    return sorted(found, key=lambda item: (-len(item[1]), item[0]))


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, Mapping):
        return {key: _replaced(item, old, new) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(item, old, new) for item in value]
    return value
