"""A command that cannot run is the release's fault, everything else that `up` meets is not."""

import pytest

from berthmaster.adapters.compose.errors import up_failed
from berthmaster.domain.errors import ComposeFailed, DeploymentFailed

RUNC = (
    "Error response from daemon: failed to create shim task: OCI runtime create failed: runc create"
    " failed: unable to start container process: "
)


@pytest.mark.parametrize(
    ("said", "command", "why"),
    [
        ('exec: "/app/x": stat /app/x: no such file or directory: unknown', "/app/x", "no such"),
        ('exec: "/app/x.py": permission denied: unknown', "/app/x.py", "permission denied"),
        ('exec: "serve": executable file not found in $PATH: unknown', "serve", "not found"),
        ("exec /app/x: exec format error", "its command", "exec format error"),
    ],
)
def test_a_command_that_cannot_run_makes_the_release_bad(said: str, command: str, why: str) -> None:
    error = up_failed("shop-prod-r2", 1, RUNC + said)
    assert isinstance(error, DeploymentFailed)
    assert command in error.message
    assert why in error.message


@pytest.mark.parametrize(
    "said",
    [
        "Error response from daemon: Address already in use",
        f"{RUNC}error mounting /x: mount /x: no such file or directory",
        "write /var/lib/docker/tmp/1: no space left on device",
    ],
)
def test_what_the_engine_cannot_do_stays_its_own_fault(said: str) -> None:
    assert isinstance(up_failed("shop-prod-r2", 1, said), ComposeFailed)
