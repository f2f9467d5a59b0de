"""The password by which apps reach a PostgreSQL of their stack, as a release's record says it.

The image uses it only to make an empty data directory; afterwards the database itself keeps it. So
a release with another password needs it set in the database, and so does the way back to an older
one. Pure; what it returns is secret.
"""

from collections.abc import Mapping
from typing import Any, Final

from berthmaster.domain.release import Release, ReleaseService
from berthmaster.domain.sealed import SealedValues
from berthmaster.domain.spec import Role
from berthmaster.planner import composemodel as compose

PASSWORD: Final = "POSTGRES_PASSWORD"  # noqa: S105 - the name of a variable
PASSWORD_FILE: Final = f"{PASSWORD}_FILE"
_SECRETS: Final = "secrets/"  # where a release's copies of secret files lie


def logins_of(release: Release, sealed: SealedValues) -> dict[str, str]:
    """The password of each database of a release, by service; those without one are left out."""
    found = {}
    for service in release.with_role(Role.STATE):
        password = _password(release, service, sealed) if service.is_dumpable else None
        if password:
            found[service.name] = password
    return found


def login_file(release: Release, sealed: SealedValues, service: str) -> str | None:
    """The copy of the secret file that holds a database's password; None when no file does."""
    return _file_target(release, service, sealed.environment.get(service, {}))


def _password(release: Release, service: ReleaseService, sealed: SealedValues) -> str | None:
    values = sealed.environment.get(service.name, {})
    if values.get(PASSWORD):
        return values[PASSWORD]
    target = _file_target(release, service.name, values)
    content = sealed.secrets.get(target) if target else None
    # The image reads it as a shell does: line breaks at the end are no part of it.
    return content.decode(errors="replace").rstrip("\n") if content is not None else None


def _file_target(release: Release, service: str, values: Mapping[str, str]) -> str | None:
    """The copy that is mounted where the variable points."""
    model: Mapping[str, Any] = release.state_model.get("services", {}).get(service) or {}
    where = values.get(PASSWORD_FILE)
    for mount in compose.mounts_of(model) if where else ():
        _, mark, rest = mount.source.rpartition(f"/{_SECRETS}")
        if mark and mount.target == where:
            return f"{_SECRETS}{rest}"
    return None
