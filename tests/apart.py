"""What this process has for itself while other processes test beside it: ports and addresses.

The processes of a run know their number, those of another run their parent's.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from itertools import chain, islice, repeat
from typing import Final

_LANES: Final = 3  # processes of one run, in `scripts/test`
_LANE: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_RUN: Final = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
# Below the ephemeral ones, so that no client takes one meanwhile; without those that are named in
# examples and in test data.
_PORTS: Final = [
    port for port in range(4200, 9000) if port not in {5000, 5433, 6380, 8080, 8081, 8090}
]


def own_number(count: int) -> int:
    """One of so many, never the same in two processes of a run."""
    return (_RUN * _LANES + _LANE) % count


def free_ports(count: int) -> list[int]:
    """Ports that nobody has and that nobody else is told.

    One that was told may be taken much later, so each is told once until all were; processes of one
    run begin so far from each other that they do not meet.
    """
    found: list[int] = []
    for port in islice(_next_ports, len(_PORTS)):
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind(("0.0.0.0", port))
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no ports are free")


def _ports() -> Iterator[int]:
    share = len(_PORTS) // _LANES
    begin = (_RUN * 7 + _LANE * share) % len(_PORTS)
    return chain.from_iterable(repeat([*_PORTS[begin:], *_PORTS[:begin]]))


_next_ports: Final = _ports()
