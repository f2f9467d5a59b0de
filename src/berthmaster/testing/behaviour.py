"""What the containers of an image, or one container, do in the in-memory world."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from berthmaster.domain.container import Health


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A script that starts anew with each start; an observation is one `Runtime.container` call."""

    health: Health = Health.NONE  # what the healthcheck says in the end; NONE: there is no check
    health_after: int = 1  # observations until it says so; before, it is starting
    exit_code: int | None = None  # ends at once with this code, as a job does
    crashes: bool = False  # restarts for ever
    dies_after: int | None = None  # observations until it ends with 1
    port: int | None = None  # listens there only; None: on every port that is asked
    status: int = 200  # what it answers
    location: str | None = None  # of a redirect
    body: str = "ok"
    headers: Mapping[str, str] = field(default_factory=dict)  # of an answer
    log: tuple[str, ...] = ()
    locks_out: tuple[str, ...] = ()  # containers that answer 503 while it, or its sessions, last
    commits: bool = False  # and for ever after


HEALTHY: Final = Behaviour(health=Health.HEALTHY)
NEVER_HEALTHY: Final = Behaviour(health=Health.UNHEALTHY, health_after=3)
CRASH_LOOP: Final = Behaviour(crashes=True)
DONE: Final = Behaviour(exit_code=0)


def exits(code: int, *log: str) -> Behaviour:
    """A job that ends with this code."""
    return Behaviour(exit_code=code, log=log)


def dies_after(observations: int) -> Behaviour:
    """Good at first, then dead."""
    return Behaviour(dies_after=observations)


def answers(status: int, location: str | None = None) -> Behaviour:
    """Runs and answers each request with this status."""
    return Behaviour(status=status, location=location)
