"""Passwords: the policy, and Argon2id with the memory that a small instance has."""

import secrets
import threading
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

LENGTH: Final = 12
LONGEST: Final = 200
COMMON: Final = ("password", "passwort", "qwerty", "letmein", "welcome", "iloveyou", "123456", "complaint")
# 19 MiB and two passes, what OWASP names as the least; one at a time, so that ten logins do not need ten times that.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_ONE_AT_A_TIME: Final = threading.Lock()
_NOBODY: Final = _HASHER.hash(secrets.token_urlsafe())


def problems_of(password: str, *names: str) -> list[str]:
    """What the policy has against it; `names` are what others know of this person."""
    problems = []
    if not LENGTH <= len(password) <= LONGEST:
        problems.append(f"have {LENGTH} to {LONGEST} characters")
    kinds = (str.islower, str.isupper, str.isdigit, lambda one: not one.isalnum())
    if sum(any(map(kind, password)) for kind in kinds) < 3:
        problems.append("mix three of: small letters, capitals, digits, signs")
    parts = [part for name in names for part in name.lower().replace("@", " ").split() if len(part) > 3]
    if any(word in password.lower() for word in (*COMMON, *parts)):
        problems.append("not hold your name, your address or a common password")
    return problems


def hash_password(password: str) -> str:
    """The Argon2id hash, with its parameters in front."""
    with _ONE_AT_A_TIME:
        return _HASHER.hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Compare in the same time whether or not there is such a user."""
    with _ONE_AT_A_TIME:
        try:
            return _HASHER.verify(password_hash or _NOBODY, password) and password_hash is not None
        except (Argon2Error, InvalidHashError):
            return False
