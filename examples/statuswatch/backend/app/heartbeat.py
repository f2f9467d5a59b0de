"""One empty file per role whose age says whether the process still works. Standard library only: it is read often."""

import os
import time
from pathlib import Path


def path_of(role: str) -> Path:
    """Return the file of a role; it lies in the container's own /tmp, so it never outlives the container."""
    return Path(os.environ.get("HEARTBEAT_DIR", "/tmp")) / f"statuswatch-{role}.heartbeat"


def beat(role: str) -> None:
    """Say that the role works now."""
    path_of(role).touch()


def forget(role: str) -> None:
    """Say that the role no longer works, so that a restart begins unhealthy."""
    path_of(role).unlink(missing_ok=True)


def age_seconds_or_none(role: str) -> float | None:
    """Return how long ago the role last worked, or None when it never did."""
    try:
        return time.time() - path_of(role).stat().st_mtime
    except FileNotFoundError:
        return None
