"""Finds the login for a registry where `docker login` left it: `config.json` or a helper program.

Read at each use and kept nowhere; a password is never part of arguments, a log or an error.
"""

import base64
import binascii
import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from berthmaster.adapters.registry.reference import HUB, parse_reference
from berthmaster.domain.errors import InvalidName

_HUB_KEY: Final = "https://index.docker.io/v1/"  # under which Docker files its own registry
_HELPER: Final = re.compile(r"[A-Za-z0-9._-]+\Z")
_HELPER_SECONDS: Final = 10.0
_IDENTITY_TOKEN: Final = "<token>"  # noqa: S105 - the user, when the secret is an identity token


@dataclass(frozen=True, slots=True)
class Login:
    """A user and the password, which is never shown."""

    user: str
    password: str = field(repr=False)
    is_identity_token: bool = False


class DockerCredentials:
    """Logins out of Docker's `config.json`; called with a reference it serves the engine's pull."""

    def __init__(self, path: Path | None = None) -> None:
        folder = os.environ.get("DOCKER_CONFIG")
        self._path = path or (Path(folder) if folder else Path.home() / ".docker") / "config.json"

    def __call__(self, reference: str) -> Mapping[str, str] | None:
        """What the engine wants beside a pull; None for anonymous."""
        try:
            registry = parse_reference(reference).registry
        except InvalidName:
            return None
        login = self.login(registry)
        if login is None:
            return None
        if login.is_identity_token:
            return {"identitytoken": login.password}
        return {"username": login.user, "password": login.password}

    def login(self, registry: str) -> Login | None:
        """The login for a registry; None when there is none or it cannot be read."""
        config = self._config()
        keys = (_HUB_KEY, HUB) if registry == HUB else (registry, f"https://{registry}")
        helpers = config.get("credHelpers") or {}
        for key in keys:
            if helper := helpers.get(key) or config.get("credsStore"):
                if found := _ask_helper(str(helper), key):
                    return found
            elif found := _stored((config.get("auths") or {}).get(key)):
                return found
        return None

    def _config(self) -> Mapping[str, Any]:
        try:
            data = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}


def _stored(entry: Mapping[str, Any] | None) -> Login | None:
    if not entry:
        return None
    if token := entry.get("identitytoken"):
        return Login("", str(token), is_identity_token=True)
    try:
        user, colon, password = base64.b64decode(entry.get("auth") or "").decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Login(user, password) if colon else None


def _ask_helper(helper: str, key: str) -> Login | None:
    if not _HELPER.match(helper):
        return None
    try:
        ended = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=key.encode(),
            capture_output=True,
            timeout=_HELPER_SECONDS,
            check=True,
        )
        answer = json.loads(ended.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None
    return Login(user, secret, is_identity_token=user == _IDENTITY_TOKEN)
